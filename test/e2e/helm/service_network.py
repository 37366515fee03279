# SPDX-License-Identifier: Apache-2.0
"""The way of pods to the API server: there is no kube-proxy here, so the service's address is given to the bridge of the
pods, and what arrives there is handed on to the API server's port on 127.0.0.1."""
import asyncio
import socket
import subprocess
import threading

SERVICE = ("10.96.0.1", 443)
CHUNK = 65536
# A bridge without an address of its own takes the lowest of its pods': with each pod that comes or goes it may change, and
# who remembers the old one sends into nowhere for up to a minute.
ADDRESS = "02:fa:ce:70:00:01"


async def pump(reader, writer):
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:  # one of them is gone; so is the other one then
        pass
    finally:
        writer.close()


class ServiceNetwork(threading.Thread):
    """From start() to stop(). Several may run on one machine: each hears its own bridge alone."""

    def __init__(self, port_base):
        super().__init__(daemon=True, name="service-network")
        subnet = port_base // 1000 % 250  # as in test/e2e/kubernetes/cluster
        self.bridge, self.gateway, self.port = f"cni-facet{subnet}", f"10.244.{subnet}.1/24", port_base + 443
        self.loop = asyncio.new_event_loop()
        self.socket = None

    def start(self):
        """Before the first pod: the bridge plugin takes a bridge that is there, if the first address is the one it wants."""
        for command in (("link", "add", self.bridge, "address", ADDRESS, "type", "bridge"),
                        ("address", "add", self.gateway, "dev", self.bridge),
                        ("address", "add", SERVICE[0] + "/32", "dev", self.bridge),
                        ("link", "set", self.bridge, "up")):
            subprocess.run(["ip", *command], check=True)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.bridge.encode())
        self.socket.bind(SERVICE)
        super().start()

    def run(self):
        self.loop.run_until_complete(self.serve())

    async def serve(self):
        server = await asyncio.start_server(self.relay, sock=self.socket)
        async with server:
            await server.serve_forever()

    async def relay(self, reader, writer):
        try:
            there = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
