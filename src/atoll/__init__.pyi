from atoll.testing import AtollError as AtollError
from atoll.testing import Cache as Cache
from atoll.testing import Completed as Completed
from atoll.testing import Failover as Failover
from atoll.testing import Instance as Instance
from atoll.testing import Vpc as Vpc
from atoll.testing import World as World
from atoll.testing import world as world

__version__: str
