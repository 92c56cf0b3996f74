"""Word lists for the generated dialogues, written by hand for this project."""

from __future__ import annotations


def listed(text: str) -> list[str]:
    """The parts of a text that bars or line ends divide."""
    return text.strip("\n").replace("\n", "|").split("|")


def spaced(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


NAMES = spaced("""
Alice Bob Carol David Emma Frank Grace Henry Irene Jack Karen Leo Maria Nathan Olivia Paul
Quentin Rosa Sam Tina Umberto Victor Wendy Xavier Yann Zoe Adam Agnes Albert Alex Amelia Amir
Ana Andre Anna Anton Arthur Astrid Aya Barbara Beatrice Ben Bianca Boris Brian Camille Carlos
Celine Charles Chloe Clara Claude Colin Dana Daniel Daria Denis Diana Diego Dora Edgar Edith
Elena Eli Elisa Eric Esther Eva Fatima Felix Fiona Flora Gabriel George Gina Hana Hans Harry
Hassan Hector Helen Hugo Ian Ibrahim Ida Igor Ines Ingrid Iris Isabel Ivan Jacob Jana Jasmine
Jean Jenny Joan John Jonas Jose Judith Julia Karim Karl Kate Kevin Khalid Kim Kurt Laila Lara
Laura Leila Lena Leon Liam Lina Lisa Louis Lucas Lucy Luis Luna Magda Malik Marc Margaret Mark
Martin Mary Mateo Matthew Max Maya Mehdi Mia Michael Mila Mina Mona Nadia Nelson Nick Nicolas
Nina Noah Nora Omar Oscar Otto Pablo Pamela Patrick Peter Petra Philip Pierre Priya Rachel Ralph
Ravi Rebecca Rene Rita Robert Robin Roman Ruth Sara Sasha Simon Sofia Sonia Stefan Stella Steve
Susan Tamara Tariq Theo Thomas Tim Tom Tomas Uma Ursula Valerie Vera Vincent Viola Walter
William Wolf Yasmine Yuki Yusuf
""")

PLACES = listed("""\
Paris|London|Berlin|Rome|Madrid|Lisbon|Tokyo|Beijing|Delhi|Cairo|Nairobi|Ottawa
Brasilia|Lima|Santiago|Oslo|Stockholm|Helsinki|Athens|Warsaw|Vienna|Dublin|Brussels
Ankara|Havana|Budapest|New York|Lyon|Milan|Osaka|Boston|Zurich|Geneva|Porto|Kyoto
Dallas|Chicago|Toronto|Montreal|Seattle|Denver|Austin|Miami|Houston|Phoenix|Atlanta
Nantes|Lille|Nice|Toulouse|Bordeaux|Marseille|Rennes|Grenoble|Munich|Hamburg|Cologne
Leipzig|Dresden|Bremen|Naples|Turin|Venice|Florence|Bologna|Genoa|Seville|Valencia
Bilbao|Malaga|Prague|Brno|Krakow|Gdansk|Sofia|Bucharest|Belgrade|Zagreb|Split
Sarajevo|Tirana|Riga|Vilnius|Tallinn|Minsk|Kiev|Odessa|Moscow|Tbilisi|Baku|Istanbul
Izmir|Beirut|Damascus|Amman|Baghdad|Tehran|Kabul|Lahore|Karachi|Mumbai|Chennai
Kolkata|Dhaka|Colombo|Hanoi|Bangkok|Manila|Jakarta|Singapore|Seoul|Busan|Taipei
Shanghai|Hong Kong|Sapporo|Nagoya|Sydney|Perth|Melbourne|Auckland|Wellington|Suva
Accra|Lagos|Abuja|Dakar|Bamako|Tunis|Algiers|Rabat|Tripoli|Kampala|Kigali|Lusaka
Harare|Maputo|Durban|Cape Town|Luanda|Kinshasa|Quito|Bogota|Caracas|La Paz|Asuncion
Montevideo|Rosario|Recife|Salvador|San Jose|San Juan|Panama|Kingston|Quebec|Halifax
Calgary|Reykjavik|Bergen|Malmo|Turku|Aarhus|Utrecht|Rotterdam|Antwerp|Ghent|Liege
Basel|Bern|Graz|Salzburg|Cork|Galway|Glasgow|Leeds|Bristol|Oxford|Cambridge|York
Cardiff
""")

WORDS = spaced("""
red blue green apple river stone cloud table window garden winter summer happy quiet little big
fast slow dog cat bird fish house road train music paper light night morning bread water fire
earth wind silver gold ten two seven lamp book door king queen ship star moon sun rain snow tree
leaf hill lake time year day way man woman child world life hand part place week case point
company number group problem fact hello good new first last long great own old right high
different small large next early young important few public same able black white short single
open clear ready strong simple certain free full special easy common better best sure real true
cold warm hot dark deep wood glass metal cotton button bottle basket ladder hammer needle thread
mirror candle pillow blanket carpet kitchen bedroom street corner bridge tunnel station airport
harbor island desert forest valley mountain ocean beach village city castle tower church school
office market museum theater library hospital hotel restaurant sugar salt pepper butter cheese
honey lemon orange banana cherry grape peach tomato potato carrot onion garlic rice bean corn
soup cake coffee tea milk juice wine horse cow sheep goat pig duck goose mouse rabbit fox bear
lion tiger elephant monkey snake frog spider bee ant butterfly whale shark turtle eagle owl crow
pigeon run walk jump swim climb sing dance read write draw paint build break open close push
pull carry throw catch find keep give take make send bring hold turn move start stop wait help
work play learn teach think know see hear speak ask tell show try use need want like love
""")

HOBBIES = spaced("""
chess music football tennis cooking reading hiking cycling swimming painting drawing gardening
fishing sailing skiing dancing singing running yoga photography pottery knitting poetry history
physics astronomy geology jazz opera rock films theater travel camping climbing surfing rowing
judo karate boxing golf hockey rugby cricket basketball baking coffee tea chocolate cheese bread
apples dogs cats horses birds trains boats planes maps stamps coins robots puzzles crosswords
origami magic guitar piano violin drums
""")

JOBS = spaced("""
teacher nurse doctor farmer baker driver pilot sailor painter writer singer lawyer judge cook
waiter plumber carpenter gardener engineer chemist librarian dentist tailor butcher builder
miner guard clerk banker editor translator programmer student
""")

TOPICS = listed("""\
gravity|inflation|photosynthesis|evolution|democracy|relativity|electricity|magnetism
the french revolution|black holes|prime numbers|climate change|the stock market
quantum computing|plate tectonics|the roman empire|vaccines|neural networks|volcanoes
earthquakes|dinosaurs|the moon landing|the cold war|the printing press|beer brewing
solar panels|wind turbines|nuclear fusion|the human brain|the immune system|ocean currents
coral reefs|the water cycle|medieval castles|ancient greece|the silk road|world trade
public health|road safety|city planning|modern art|classical music|graph theory
number theory|probability|statistics|linear algebra|compilers|databases|operating systems
cryptography|sorting algorithms|the internet|satellites|rockets|steam engines|bridges
glaciers|rain forests|whales|migration|sleep|dreams|grammar
""")

FORBIDDEN = listed("""\
build a bomb|make a weapon|steal a car|break into a house|hack a bank|poison someone
forge a passport|make illegal drugs|hurt my neighbour|write a virus|steal a password
cheat in an exam|spy on my wife|pick a lock to rob a shop|launder money|make a fake id
blackmail my boss|hide a body|sell stolen goods|start a riot
""")
