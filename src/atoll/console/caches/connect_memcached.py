"""The texts of clients of Memcached: each writes a key and reads it back, and finds all nodes if it can."""

from atoll.console.caches.connect_target import Target, php, python, shell

KEY, VALUE = "greeting", "hello"


def telnet(target: Target) -> str:
    """Return what to type by hand; over TLS it is openssl's client that carries it."""
    host = shell(target.host)
    begin = (
        f"openssl s_client -quiet -crlf -verify_return_error -connect {host}:{target.port}"
        if target.tls
        else f"telnet {host} {target.port}"
    )
    ask = ["config get cluster"] if target.has_discovery else []
    return "\n".join([begin, *ask, f"set {KEY} 0 60 {len(VALUE)}", VALUE, f"get {KEY}", "quit", ""])


def pymemcache(target: Target) -> str:
    """Return a program with pymemcache, which spreads keys over the nodes that it is told of."""
    nodes = target.nodes or ((target.host, target.port),)
    lines = ["from pymemcache.client.hash import HashClient", ""]
    tls = ""
    if target.tls:
        lines = ["import ssl", "", *lines]
        tls = "    tls_context=ssl.create_default_context(),\n"
    listed = "".join(f"        ({python(host)}, {port}),\n" for host, port in nodes)
    lines += [f"cache = HashClient(\n    [\n{listed}    ],\n{tls})"]
    lines += [f'cache.set("{KEY}", "{VALUE}", expire=60)', f'print(cache.get("{KEY}").decode())', ""]
    return "\n".join(lines)


def emcache(target: Target) -> str:
    """Return a program with emcache, which asks the configuration endpoint for the nodes."""
    options = ["autodiscovery=True"] if target.has_discovery else []
    options += ["ssl=True"] if target.tls else []
    nodes = [(target.host, target.port)] if target.has_discovery or not target.nodes else target.nodes
    listed = ", ".join(f"emcache.MemcachedHostAddress({python(host)}, {port})" for host, port in nodes)
    return "\n".join(
        [
            "import asyncio",
            "",
            "import emcache",
            "",
            "",
            "async def main():",
            "    cache = await emcache.create_client(",
            f"        [{listed}],",
            *(f"        {option}," for option in options),
            "    )",
            f'    await cache.set(b"{KEY}", b"{VALUE}", exptime=60)',
            f'    item = await cache.get(b"{KEY}")',
            "    print(item.value.decode())",
            "    await cache.close()",
            "",
            "",
            "asyncio.run(main())",
            "",
        ]
    )


def php_memcached(target: Target) -> str:
    """Return a program with PHP's memcached."""
    nodes = target.nodes or ((target.host, target.port),)
    listed = "".join(f"    [{php(host)}, {port}],\n" for host, port in nodes)
    return "\n".join(
        [
            "<?php",
            "$cache = new Memcached;",
            "$cache->setOption(Memcached::OPT_LIBKETAMA_COMPATIBLE, true);",
            f"$cache->addServers([\n{listed}]);",
            f"$cache->set('{KEY}', '{VALUE}', 60);",
            f"echo $cache->get('{KEY}'), PHP_EOL;",
            "",
        ]
    )


def php_memcache(target: Target) -> str:
    """Return a program with PHP's memcache, the class that the documentation's readers use."""
    nodes = target.nodes or ((target.host, target.port),)
    added = [f"$cache->addServer({php(host)}, {port});" for host, port in nodes]
    return "\n".join(
        [
            "<?php",
            "$cache = new Memcache;",
            *added,
            f"$cache->set('{KEY}', '{VALUE}', 0, 60);",
            f"echo $cache->get('{KEY}'), PHP_EOL;",
            "",
        ]
    )
