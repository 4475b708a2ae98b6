"""A judge's endpoint on loopback that answers what a test wants, and remembers what it was asked."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tcm_rlaif.feedback.judges.openai_judge import OpenAIJudge
from tcm_rlaif.study.schema import Params

GOOD = json.dumps({"reason": "甲更稳妥", "better": "tie"}, ensure_ascii=False)


def chat(content=GOOD, finish="stop"):
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}
    return 200, {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}


def refusal(status, message, **more):
    return status, {"error": {"message": message} | more}


@contextmanager
def stub(answer):
    """A server on loopback whose replies ``answer(request body, number of the request)`` writes: status and body."""
    requests, lock = [], threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with lock:
                requests.append(body | {"path": self.path, "authorization": self.headers.get("authorization")})
                number = len(requests)
            status, reply = answer(requests[number - 1], number)
            data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()


def openai_judge(model="m", **settings):
    """A judge behind an endpoint: `settings` are its own, or parameters without `judge_` before them."""
    own = {name: settings.pop(name) for name in ("max_reply_tokens", "first_backoff_s") if name in settings}
    keys = {f"judge_{name}": value for name, value in settings.items()}
    return OpenAIJudge(Params(judge="openai", judge_model=model, **keys), **own)
