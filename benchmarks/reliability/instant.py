"""A server that answers every sending at once: what the generator could ask of a server that costs nothing.

python -m benchmarks.reliability.instant PORT
"""

import selectors
import socket
import sys

CONTENT = b'{"results":[{"uuid":"x","fate":"stored"}]}' + b" " * 500
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(CONTENT), CONTENT)


def serve(port: int) -> None:
    with socket.create_server(("127.0.0.1", port), backlog=1024) as listener, selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    client, _ = listener.accept()
                    client.setblocking(False)
                    selector.register(client, selectors.EVENT_READ, bytearray())
                else:
                    _answer(key.fileobj, key.data, selector)


def _answer(client: object, got: bytearray, selector: selectors.BaseSelector) -> None:
    assert isinstance(client, socket.socket)
    part = client.recv(65536)
    if not part:
        selector.unregister(client)
        client.close()
        return
    got += part
    end = got.find(b"\r\n\r\n")
    if end < 0:
        return
    length = int(got[:end].split(b"Content-Length: ", 1)[1].split(b"\r\n", 1)[0])
    if len(got) >= end + 4 + length:
        got.clear()
        client.send(ANSWER)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
