"""Requests that offer an upgrade keep their body, however it is framed or cut into packets."""

import socket
import threading
import time

import pytest
import uvicorn

from tracklane_server.http.protocol import UpgradeSafeProtocol

OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
PLAIN = b"POST / HTTP/1.1\r\nHost: x\r\n"


async def echo(scope, receive, send):
    body = b""
    more = True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port():
    config = uvicorn.Config(
        echo, port=0, http=UpgradeSafeProtocol, ws="none", lifespan="off", log_level="error", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def exchange(port, packets):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for packet in packets:
            connection.sendall(packet)
            time.sleep(0.02)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


SIZED = PLAIN + OFFER + b"Content-Length: 5\r\n\r\n"
CHUNKED = PLAIN + OFFER + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = PLAIN + b"Content-Length: 4\r\n\r\nnext"


@pytest.mark.parametrize(
    "packets",
    [
        [SIZED + b"hello"],
        [SIZED, b"hello"],
        [SIZED[:20], SIZED[20:70], SIZED[70:], b"he", b"llo"],
        [CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"],
        [CHUNKED, b"2\r\nhe\r\n", b"3\r\nllo\r\n0\r\n\r\n"],
    ],
)
def test_an_offered_upgrade_leaves_the_body_alone(port, packets):
    assert exchange(port, packets).endswith(b"\r\n\r\nhello")


def test_the_connection_serves_the_next_request(port):
    answer = exchange(port, [SIZED + b"hello", NEXT])
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.endswith(b"next")
