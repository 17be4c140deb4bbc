#!/bin/sh
# numba refuses a cache folder that it cannot write, and the container's root is read-only: give it a copy in /tmp.
set -eu
if [ -n "${NUMBA_CACHE_DIR:-}" ] && [ ! -e "$NUMBA_CACHE_DIR" ]; then
    cp -R /opt/numba-cache "$NUMBA_CACHE_DIR"
fi
exec "$@"
