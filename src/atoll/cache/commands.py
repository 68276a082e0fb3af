"""The commands of Redis OSS and Valkey, by the version that brought them: which names an access rule may have.

An engine refuses a rule about a command that it does not know, and would not start with it.  Commands are as Valkey
9.1 lists them (COMMAND DOCS); the oldest version here is the oldest that has access control lists like AWS's.
"""

CATEGORIES = frozenset(
    ("admin", "bitmap", "blocking", "connection", "dangerous", "fast", "geo", "hash", "hyperloglog", "keyspace",
     "list", "pubsub", "read", "scripting", "set", "slow", "sortedset", "stream", "string", "transaction", "write")
)  # fmt: skip

_BROUGHT = {
    (6, 2): """
        acl acl|cat acl|deluser acl|genpass acl|getuser acl|help acl|list acl|load acl|log acl|save
        acl|setuser acl|users acl|whoami append asking auth bgrewriteaof bgsave bitcount bitfield bitfield_ro
        bitop bitpos blmove blpop brpop brpoplpush bzpopmax bzpopmin client client|caching client|getname
        client|getredir client|help client|id client|info client|kill client|list client|pause client|reply
        client|setname client|tracking client|trackinginfo client|unblock client|unpause cluster
        cluster|addslots cluster|bumpepoch cluster|count-failure-reports cluster|countkeysinslot
        cluster|delslots cluster|failover cluster|flushslots cluster|forget cluster|getkeysinslot cluster|help
        cluster|info cluster|keyslot cluster|meet cluster|myid cluster|nodes cluster|replicas
        cluster|replicate cluster|reset cluster|saveconfig cluster|set-config-epoch cluster|setslot
        cluster|slaves cluster|slots command command|count command|getkeys command|help command|info config
        config|get config|help config|resetstat config|rewrite config|set copy dbsize debug decr decrby del
        discard dump echo eval evalsha exec exists expire expireat failover flushall flushdb geoadd geodist
        geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore
        get getbit getdel getex getrange getset hdel hello hexists hget hgetall hincrby hincrbyfloat hkeys
        hlen hmget hmset hrandfield hscan hset hsetnx hstrlen hvals incr incrby incrbyfloat info keys lastsave
        latency latency|doctor latency|graph latency|help latency|history latency|latest latency|reset lindex
        linsert llen lmove lolwut lpop lpos lpush lpushx lrange lrem lset ltrim memory memory|doctor
        memory|help memory|malloc-stats memory|purge memory|stats memory|usage mget migrate module module|help
        module|list module|load module|unload monitor move mset msetnx multi object object|encoding
        object|freq object|help object|idletime object|refcount persist pexpire pexpireat pfadd pfcount
        pfdebug pfmerge pfselftest ping psetex psubscribe psync pttl publish pubsub pubsub|channels
        pubsub|help pubsub|numpat pubsub|numsub punsubscribe quit randomkey readonly readwrite rename renamenx
        replconf replicaof reset restore restore-asking role rpop rpoplpush rpush rpushx sadd save scan scard
        script script|debug script|exists script|flush script|help script|kill script|load sdiff sdiffstore
        select set setbit setex setnx setrange shutdown sinter sinterstore sismember slaveof slowlog
        slowlog|get slowlog|help slowlog|len slowlog|reset smembers smismember smove sort spop srandmember
        srem sscan strlen subscribe substr sunion sunionstore swapdb sync time touch ttl type unlink
        unsubscribe unwatch wait watch xack xadd xautoclaim xclaim xdel xgroup xgroup|create
        xgroup|createconsumer xgroup|delconsumer xgroup|destroy xgroup|help xgroup|setid xinfo xinfo|consumers
        xinfo|groups xinfo|help xinfo|stream xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim zadd
        zcard zcount zdiff zdiffstore zincrby zinter zinterstore zlexcount zmscore zpopmax zpopmin zrandmember
        zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank
        zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore
    """,
    (7, 0): """
        acl|dryrun blmpop bzmpop client|no-evict cluster|addslotsrange cluster|delslotsrange cluster|links
        cluster|shards command|docs command|getkeysandflags command|list eval_ro evalsha_ro expiretime fcall
        fcall_ro function function|delete function|dump function|flush function|help function|kill
        function|list function|load function|restore function|stats latency|histogram lcs lmpop module|loadex
        pexpiretime pubsub|shardchannels pubsub|shardnumsub sintercard sort_ro spublish ssubscribe
        sunsubscribe zintercard zmpop
    """,
    (7, 2): """
        client|no-touch client|setinfo cluster|myshardid waitaof
    """,
    (8, 0): """
        client|capa cluster|slot-stats script|show
    """,
    (8, 1): """
        client|import-source commandlog commandlog|get commandlog|help commandlog|len commandlog|reset
    """,
    (9, 0): """
        cluster|cancelslotmigrations cluster|flushslot cluster|getslotmigrations cluster|migrateslots
        cluster|syncslots delifeq hexpire hexpireat hexpiretime hgetex hpersist hpexpire hpexpireat
        hpexpiretime hpttl hsetex httl
    """,
    (9, 1): """
        clusterscan hgetdel msetex
    """,
}


# Command, or `container|subcommand` -> the version from which it is known.
SINCE = {name: version for version, names in _BROUGHT.items() for name in names.split()}
