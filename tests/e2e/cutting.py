"""A TCP proxy between gateway and silo that cuts connections after a chosen number of bytes. TLS passes through untouched."""
import collections
import contextlib
import selectors
import socket
import struct
import threading
import time

TO_SILO, TO_GATEWAY = 0, 1
KINDS = ("rst", "fin", "silent")
SILENCE = 1.5   # seconds that a silent line swallows bytes until the gateway's end is reset; the silo's end follows later
SILENCE_AT_SILO = 0.7

# The next connection is cut after `after` bytes in that direction.
Cut = collections.namedtuple("Cut", "direction after kind")


class Connection:
    """Both sockets of one connection: [0] the gateway's, [1] the silo's."""

    def __init__(self, sockets, cut):
        self.sockets = sockets
        self.cut = cut
        self.passed = [0, 0]
        self.silent_until = None   # swallowing until then
        self.closed = [False, False]


class CuttingProxy(threading.Thread):
    """Listens on a port of its own, which stays; one thread for everything."""

    def __init__(self, target_port):
        super().__init__(daemon=True)
        self.target_port = target_port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.wake, self.woken = socket.socketpair()
        self.lock = threading.Lock()
        self.next_cut = None
        self.requests = []            # what other threads want done
        self.cuts = 0                 # cuts that were asked for by bytes
        self.connections = []
        self.passed = [0, 0]          # by the newest connection
        self.accepted = 0
        self.stopping = False
        self.start()

    # For other threads.

    def arm(self, cut):
        """The next connection gets this cut."""
        with self.lock:
            self.next_cut = cut

    def disarm(self):
        with self.lock:
            self.next_cut = None
            self.requests.append("disarm")
        self.wake.send(b"x")

    def cut_now(self):
        """Resets all connections."""
        with self.lock:
            self.requests.append("cut")
        self.wake.send(b"x")

    def stop(self):
        with self.lock:
            self.requests.append("stop")
        self.wake.send(b"x")
        self.join()

    # The thread.

    def run(self):
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.selector.register(self.woken, selectors.EVENT_READ, None)
        while not self.stopping:
            for key, _ in self.selector.select(0.1):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj is self.woken:
                    self.woken.recv(100)
                else:
                    self.pump(key.data, key.fileobj)
            self.obey()
            for connection in list(self.connections):
                self.end_silence(connection)
        for connection in list(self.connections):
            self.reset(connection)
        for open_socket in (self.listener, self.wake, self.woken):
            open_socket.close()

    def obey(self):
        with self.lock:
            requests, self.requests = self.requests, []
        for request in requests:
            if request == "stop":
                self.stopping = True
            for connection in list(self.connections):
                if request == "disarm":
                    connection.cut = None
                elif request == "cut":
                    self.reset(connection)

    def accept(self):
        gateway, _ = self.listener.accept()
        try:
            silo = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
        except OSError:   # it is away: so are we
            gateway.close()
            return
        for end in (gateway, silo):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.settimeout(20)
        with self.lock:
            connection = Connection((gateway, silo), self.next_cut)
            self.next_cut = None
            self.passed = connection.passed
            self.accepted += 1
        self.connections.append(connection)
        for end in (gateway, silo):
            self.selector.register(end, selectors.EVENT_READ, connection)
        if connection.cut and connection.cut.after == 0:
            self.carry_out(connection)

    def pump(self, connection, source):
        if connection not in self.connections or source.fileno() < 0:
            return
        direction = TO_SILO if source is connection.sockets[0] else TO_GATEWAY
        target = connection.sockets[1 - direction]
        try:
            data = source.recv(65536)
            if connection.silent_until is None:
                cut = connection.cut
                if cut and cut.direction == direction and len(data) >= cut.after - connection.passed[direction]:
                    data = data[:cut.after - connection.passed[direction]]
                    target.sendall(data)
                    self.carry_out(connection)
                elif data:
                    target.sendall(data)
                    connection.passed[direction] += len(data)
        except OSError:
            data = b""
        if not data and connection.silent_until is None:
            self.close(connection)
        elif not data:
            with contextlib.suppress(KeyError):
                self.selector.unregister(source)

    def carry_out(self, connection):
        kind = connection.cut.kind
        connection.cut = None
        if kind == "silent":
            connection.silent_until = time.monotonic() + SILENCE
        else:
            (self.reset if kind == "rst" else self.close)(connection)
        self.cuts += 1

    def end_silence(self, connection):
        """First the gateway learns it, then the silo: until then the gateway's node counts as still connected."""
        if connection.silent_until is None:
            return
        late = time.monotonic() - connection.silent_until
        if late > 0 and not connection.closed[0]:
            self.close_one(connection, 0, True)
        if late > SILENCE_AT_SILO:
            self.reset(connection)

    def close_one(self, connection, index, with_reset):
        if connection.closed[index]:
            return
        connection.closed[index] = True
        end = connection.sockets[index]
        with contextlib.suppress(KeyError):
            self.selector.unregister(end)
        if with_reset:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_WR)
        end.close()

    def reset(self, connection):
        self.finish(connection, True)

    def close(self, connection):
        self.finish(connection, False)

    def finish(self, connection, with_reset):
        for index in (0, 1):
            self.close_one(connection, index, with_reset)
        if connection in self.connections:
            self.connections.remove(connection)
