"""The texts of clients of Valkey and Redis OSS: each writes a key and reads it back."""

from atoll.console.caches.connect_target import PASSWORD, Target, javascript, php, python, shell

KEY, VALUE = "greeting", "hello"


def redis_cli(target: Target) -> str:
    """Return the commands of redis-cli."""
    return _cli("redis-cli", target)


def valkey_cli(target: Target) -> str:
    """Return the commands of valkey-cli; the environment variable of the password has another name."""
    return _cli("valkey-cli", target)


def _cli(program: str, target: Target) -> str:
    words = [program]
    if target.tls:
        words.append("--tls")
    if target.is_cluster:
        words.append("-c")
    words += ["-h", shell(target.host), "-p", str(target.port)]
    if target.auth == "user":
        words += ["--user", shell(target.user)]
    line = " ".join(words)
    variable = "REDISCLI_AUTH" if program == "redis-cli" else "VALKEYCLI_AUTH"
    secret = [f'export {variable}="${PASSWORD}"'] if target.auth != "none" else []
    return "\n".join([*secret, f"{line} SET {KEY} {VALUE}", f"{line} GET {KEY}", ""])


def redis_py(target: Target) -> str:
    """Return a program with redis-py."""
    return _py("redis", "Redis", target)


def valkey_py(target: Target) -> str:
    """Return a program with valkey-py, which is redis-py under other names."""
    return _py("valkey", "Valkey", target)


def _py(module: str, name: str, target: Target) -> str:
    cls = f"{name}Cluster" if target.is_cluster else name
    source = f"{module}.cluster" if target.is_cluster else module
    options = [f"host={python(target.host)}", f"port={target.port}", "decode_responses=True"]
    if target.tls:
        options.append("ssl=True")
    if target.auth == "user":
        options.append(f"username={python(target.user)}")
    if target.auth != "none":
        options.append(f'password=os.environ["{PASSWORD}"]')
    lines = ["import os", ""] if target.auth != "none" else []
    lines += [f"from {source} import {cls}", "", f"cache = {cls}("]
    lines += [f"    {option}," for option in options]
    lines += [")", f'cache.set("{KEY}", "{VALUE}", ex=60)', f'print(cache.get("{KEY}"))', ""]
    return "\n".join(lines)


def ioredis(target: Target) -> str:
    """Return a program with ioredis; in cluster mode it takes nodes by their names, as certificates want it."""
    options = _js_secret(target)
    if target.tls:
        options.append("tls: {}")
    host = f"{{ host: {javascript(target.host)}, port: {target.port} }}"
    if target.is_cluster:
        inner = f"  redisOptions: {{ {', '.join(options)} }},\n" if options else ""
        lookup = "  dnsLookup: (address, callback) => callback(null, address),\n" if target.tls else ""
        made = f"new Redis.Cluster([{host}], {{\n{lookup}{inner}}});"
        made = made.replace("{\n}", "{}")
    else:
        options = [f"host: {javascript(target.host)}", f"port: {target.port}", *options]
        made = "new Redis({\n" + "".join(f"  {option},\n" for option in options) + "});"
    return "\n".join(
        [
            'const Redis = require("ioredis");',
            "",
            f"const cache = {made}",
            "(async () => {",
            f'  await cache.set("{KEY}", "{VALUE}", "EX", 60);',
            f'  console.log(await cache.get("{KEY}"));',
            "  await cache.quit();",
            "})();",
            "",
        ]
    )


def node_redis(target: Target) -> str:
    """Return a program with node-redis."""
    secret = _js_secret(target)
    if target.is_cluster:
        scheme = "rediss" if target.tls else "redis"
        defaults = [*secret, *(["socket: { tls: true }"] if target.tls else [])]
        made = [f'  rootNodes: [{{ url: "{scheme}://{target.host}:{target.port}" }}],']
        made += [f"  defaults: {{ {', '.join(defaults)} }},"] if defaults else []
        call = "createCluster"
    else:
        tls = ", tls: true" if target.tls else ""
        made = [f"  socket: {{ host: {javascript(target.host)}, port: {target.port}{tls} }},"]
        made += [f"  {option}," for option in secret]
        call = "createClient"
    return "\n".join(
        [
            f'const {{ {call} }} = require("redis");',
            "",
            f"const cache = {call}({{",
            *made,
            "});",
            '(cache.on("error", console.error), cache.connect()).then(async () => {',
            f'  await cache.set("{KEY}", "{VALUE}", {{ EX: 60 }});',
            f'  console.log(await cache.get("{KEY}"));',
            "  await cache.close();",
            "});",
            "",
        ]
    )


def _js_secret(target: Target) -> list[str]:
    user = [f"username: {javascript(target.user)}"] if target.auth == "user" else []
    return [*user, f"password: process.env.{PASSWORD}"] if target.auth != "none" else []


def phpredis(target: Target) -> str:
    """Return a program with phpredis."""
    scheme = "tls://" if target.tls else ""
    secret = f"getenv('{PASSWORD}')"
    if target.auth == "user":
        secret = f"[{php(target.user)}, {secret}]"
    if target.is_cluster:
        nodes = f"[{php(f'{target.host}:{target.port}')}]"
        auth = "null" if target.auth == "none" else secret
        more = f", {auth}, ['verify_peer' => true]" if target.tls else f", {auth}" if auth != "null" else ""
        made = [f"$cache = new RedisCluster(null, {nodes}, 2, 2, false{more});"]
    else:
        made = ["$cache = new Redis;", f"$cache->connect({php(scheme + target.host)}, {target.port}, 2);"]
        made += [f"$cache->auth({secret});"] if target.auth != "none" else []
    return "\n".join(
        ["<?php", *made, f"$cache->set('{KEY}', '{VALUE}', 60);", f"echo $cache->get('{KEY}'), PHP_EOL;", ""]
    )


def telnet(target: Target) -> str:
    """Return what to type by hand; over TLS it is openssl's client that carries it."""
    host = shell(target.host)
    begin = (
        f"openssl s_client -quiet -crlf -verify_return_error -connect {host}:{target.port}"
        if target.tls
        else f"telnet {host} {target.port}"
    )
    auth = {"none": [], "token": ["AUTH your-token"], "user": [f"AUTH {target.user} your-password"]}[target.auth]
    return "\n".join([begin, *auth, "PING", "QUIT", ""])
