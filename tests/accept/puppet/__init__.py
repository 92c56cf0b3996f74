"""A worker whose engine plays a script: everything from its tokens to the pool's HTTP is the real thing."""
