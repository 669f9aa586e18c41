"""A proxy that cuts connections: for what has to go on after a break.

    with CuttingProxy(origin.port, cuts=[70_000, 2_000_000]) as proxy:
        ...  # the first connection that brings 70,000 bytes ends there, and so on

Bytes are passed on as they are, both ways. One thread for each direction of a connection.
"""
import socket
import struct
import threading


class CuttingProxy:
    def __init__(self, port, cuts=()):
        self.upstream, self.cuts = port, list(cuts)
        self.n_cut = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:
                client.close()
                continue
            for pair in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _is_over(self, n):
        """Whether a connection that has brought `n` bytes is to be cut now."""
        with self._lock:
            if not self.cuts or n < self.cuts[0]:
                return False
            self.cuts.pop(0)
            self.n_cut += 1
            return True

    def _pass(self, source, sink, is_client):
        n = 0
        try:
            while data := source.recv(65536):
                n += len(data)
                if is_client and self._is_over(n):
                    source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()
