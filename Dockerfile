# Atoll from its package, with all engines.  With `--privileged` networks are built in the kernel (root mode); without it,
# caches run behind a relay (flat mode, docs/flat.md).
#
#   docker build -t atoll .
#   docker run --rm --privileged --network host atoll
#
# On the host's network, because any key may call: the API stays on 127.0.0.1, for this machine only.
FROM debian:12-slim AS wheel
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN python3 -m venv /build \
 && /build/bin/pip install --no-cache-dir build \
 && /build/bin/python -m build --wheel --outdir /wheels

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      python3 python3-venv ca-certificates libnftables1 nftables iptables iproute2 procps dropbear-bin sudo \
      haproxy memcached redis-tools libproxychains4 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=wheel /wheels/*.whl /wheels/
RUN python3 -m venv /opt/atoll \
 && /opt/atoll/bin/pip install --no-cache-dir /wheels/*.whl \
 && ln -s /opt/atoll/bin/atoll /usr/local/bin/atoll \
 && rm -rf /wheels
ENV ATOLL_STATE=/var/lib/atoll
VOLUME /var/lib/atoll
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["atoll", "wait", "--seconds", "2"]
ENTRYPOINT ["/usr/local/bin/atoll"]
CMD ["up"]
