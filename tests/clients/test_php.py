"""PHP with php-memcache and phpredis: as the documentation's readers use them."""


def php(stage, place, script):
    ended = stage.shell(place.app, f"php -d display_errors=stderr <<'END'\n<?php\n{script}\nEND")
    assert ended.code == 0, ended.output
    return ended.output


def test_php_memcache_uses_the_nodes_of_a_cluster(stage, place):
    servers = "".join(f"$cache->addServer('{name}', 11211);\n" for name in place.memcached)
    said = php(
        stage,
        place,
        f"""$cache = new Memcache;
{servers}
for ($i = 0; $i < 20; $i++) $cache->set("k$i", ['n' => $i], 0, 60);
$sum = 0;
for ($i = 0; $i < 20; $i++) $sum += $cache->get("k$i")['n'];
echo $sum, ' ', count(array_filter($cache->getExtendedStats(), fn($node) => $node['curr_items'] > 0));""",
    )
    assert said == "190 2"


def test_phpredis_uses_a_replication_group(stage, place):
    said = php(
        stage,
        place,
        f"""$redis = new Redis;
$redis->connect('{place.valkey}', 6379, 5);
$redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
$redis->set('session', ['user' => 7], 60);
echo $redis->get('session')['user'], ' ', $redis->ttl('session') > 0 ? 'expires' : 'stays', ' ';
echo implode(',', $redis->multi()->incr('n')->incr('n')->exec());""",
    )
    assert said == "7 expires 1,2"


def test_php_memcached_spreads_keys_and_compares_and_swaps(stage, place):
    servers = ", ".join(f"['{name}', 11211]" for name in place.memcached)
    said = php(
        stage,
        place,
        f"""$cache = new Memcached;
$cache->setOption(Memcached::OPT_LIBKETAMA_COMPATIBLE, true);
$cache->addServers([{servers}]);
$values = [];
for ($i = 0; $i < 20; $i++) $values["m$i"] = ['n' => $i];
$cache->setMulti($values, 60);
echo array_sum(array_column($cache->getMulti(array_keys($values)), 'n')), ' ';
$found = $cache->get('m1', null, Memcached::GET_EXTENDED);
echo $cache->cas($found['cas'], 'm1', 'new') ? 'swapped' : 'kept', ' ';
echo $cache->cas($found['cas'], 'm1', 'newer') ? 'swapped' : 'kept';""",
    )
    assert said == "190 swapped kept"
