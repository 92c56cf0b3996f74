"""Who is linked: connections that have not said who they are, and one link for each worker that has."""

import logging
from collections.abc import Callable

from iamine.identity import Identity
from iamine.ids import ID_BYTES, WorkerId, session_id
from iamine.wire.messages import NONCE_BYTES, Cancel, Claim, Demand, Hello, ManifestUpdate, Message, Resume, Standing
from iamine.wire.session import PoolSession
from pool.hub.link import HELLO_LIMIT_S, Link, Socket
from pool.routing.effects import CancelAt, Continue, Inform, Lack
from pool.routing.patience import Patience

log = logging.getLogger("pool.hub")

FATAL_S = -1.0  # a goodbye with this says: do not come back like this


class Roster:
    """The links. `random_bytes` draws nonces and ids; `news` is the pool's manifest by its serial, for who has an older one."""

    def __init__(
        self,
        *,
        identity: Identity,
        name: str,
        random_bytes: Callable[[int], bytes],
        news: tuple[int, ManifestUpdate] | None = None,
    ) -> None:
        self._identity, self._name, self._random_bytes, self._news = identity, name, random_bytes, news
        self._newcomers: set[Link] = set()
        self._links: dict[WorkerId, Link] = {}

    def __len__(self) -> int:
        return len(self._links)

    def get(self, worker: WorkerId) -> Link | None:
        """The welcomed worker's link."""
        return self._links.get(worker)

    def links(self) -> tuple[Link, ...]:
        """The welcomed workers' links, to look at."""
        return tuple(self._links.values())

    @property
    def resting(self) -> int:
        """Workers that are linked but whose owners keep their machines for themselves."""
        return sum(link.resting for link in self._links.values())

    def connect(self, socket: Socket, now: float) -> Link:
        """Somebody opened a connection; `now` is monotonic."""
        session = PoolSession(identity=self._identity, nonce=self._random_bytes(NONCE_BYTES), name=self._name)
        link = Link(socket=socket, session=session, opened_at=now, id=session_id(self._random_bytes(ID_BYTES)))
        self._newcomers.add(link)
        return link

    def welcome(self, link: Link, worker: WorkerId, hello: Hello, patience: Patience) -> None:
        """The worker may stay. It must not be here already."""
        link.name, link.hardware, link.speaks = hello.name, hello.hardware, frozenset(hello.speaks)
        link.offer(hello.models)
        busy_s, idle_s = patience.beat_busy_s, patience.beat_idle_s
        link.send(link.session.welcome(session=link.id, heartbeat_busy_s=busy_s, heartbeat_idle_s=idle_s))
        if self._news and 0 < hello.manifest < self._news[0]:
            link.send(self._news[1])
        self._newcomers.discard(link)
        self._links[worker] = link
        models = ", ".join(offer.model for offer in hello.models)
        log.info("worker %s (%s) joined with %s", worker, hello.name, models or "no model")

    def perform(self, effect: CancelAt | Continue | Inform | Lack) -> None:
        """What the scheduler wants a worker to be told."""
        match effect:
            case CancelAt(worker=worker, job=job, epoch=epoch):
                self.tell(worker, Cancel(job=job, epoch=epoch))
            case Continue(worker=worker, job=job, epoch=epoch, index=index):
                self.tell(worker, Resume(job=job, epoch=epoch, index=index))
            case Inform(standing=one):
                told = Standing(model=one.model, deficit_s=one.deficit_s, reason=one.reason, text=one.text)
                self.tell(one.worker, told)
            case Lack(worker=worker, told=lack):
                self.tell_later(worker, lack)

    def tell(self, worker: WorkerId, message: Message) -> None:
        """Send it, if the worker is here."""
        if worker in self._links:
            self._links[worker].send(message)

    def tell_later(self, worker: WorkerId, message: Claim | Demand) -> None:
        """Send what came later than version 1, if the worker is here and understands it: else it would end its link."""
        link = self._links.get(worker)
        if link is not None and message.__struct_config__.tag in link.speaks:
            link.send(message)

    def late(self, now: float) -> list[Link]:
        """Connections that have had their time to say who they are."""
        return [link for link in self._newcomers if now - link.opened_at > HELLO_LIMIT_S]

    def forget(self, link: Link) -> WorkerId | None:
        """The link is over. The worker that is gone with it; a fenced link has none any more."""
        self._newcomers.discard(link)
        worker = link.session.worker
        if worker is None or self._links.get(worker) is not link:
            return None
        del self._links[worker]
        log.info("worker %s is gone", worker)
        return worker

    def close(self) -> None:
        """The pool stops: everybody is to come back."""
        for link in [*self._newcomers, *self._links.values()]:
            link.end("pool_stopping", "the pool is shutting down", retry_after_s=1.0)
