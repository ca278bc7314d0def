#!/bin/sh
# Starts the IPFS node: makes its repository once, with this organisation's own key; takes the
# members' shared key and the list of their nodes anew at every start. Written by `simdes network besu`.
set -eu
umask 077
SETTINGS=${SETTINGS:-/etc/ipfs}
SECRETS=${SECRETS:-/run/secrets}
: "${IPFS_PATH:=/data/ipfs}"
export IPFS_PATH
if [ ! -e "$IPFS_PATH/config" ]; then
  mkdir -p "$IPFS_PATH"
  made=$(mktemp)
  sed "s|@PRIVATE_KEY@|$(cat "$SECRETS/ipfs.key")|" "$SETTINGS/config.json" > "$made"
  ipfs init "$made" > /dev/null
  rm -f "$made"
fi
cp "$SECRETS/swarm.key" "$IPFS_PATH/swarm.key"
ipfs config --json Peering.Peers "$(cat "$SETTINGS/peers.json")"
# Without the members' key the node must not run: it would join the public network.
export LIBP2P_FORCE_PNET=1 IPFS_TELEMETRY=off
exec ipfs daemon --migrate=true --enable-gc
