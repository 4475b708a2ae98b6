"""A real OpenAI-compatible server on loopback, and a proxy in front of it that makes it misbehave.

The server is `transformers serve` with a tiny Qwen model of random weights. Such a model writes no JSON, so the proxy
puts a judgement in the place of what it wrote: one derived from the answers in the request alone, the same in either
order. All else (HTTP, validation of the request, tokenising, generation, token usage, queueing) is the real server's.

The proxy is our own, for tests and the benchmark; it draws each fault from a seed, the request and its attempt.
"""

import asyncio
import hashlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

FAULTS = ("timeout", "rate_limit", "server_error", "dropped", "broken_json", "wrong_schema", "out_of_range")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def free_port() -> int:
    """A port of the loopback interface that nobody uses."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def build_tiny_model(folder: Path, texts: list[str]) -> None:
    """Write a tiny Qwen3 model with random weights and a tokenizer trained on some texts."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|im_end|>", "<|im_start|>", "<|endoftext|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1000, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=special[0], pad_token=special[2])
    fast.chat_template = CHATML
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(fast), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, max_position_embeddings=8192, eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )  # fmt: skip
    Qwen3ForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)


@contextmanager
def real_server(model: Path, wait_s: float = 240):
    """Run `transformers serve` for a model folder; gives the address of its API."""
    port = free_port()
    command = [Path(sys.executable).with_name("transformers"), "serve", model, "--host", "127.0.0.1", "--port", port]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with open(model / "server.log", "w") as log:
        command = [*map(str, command), "--device", "cpu"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + wait_s
            while not _healthy(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server did not start:\n" + (model / "server.log").read_text()[-2000:])
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(60)


def _healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=1, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def judgement(messages: list[dict]) -> dict:
    """A valid judgement for a request of ours, from the answers alone: the digest of a text is its merit."""
    user = messages[-1]["content"]
    texts = re.findall(r"【答案([A-Z]?)开始】\n(.*?)\n【答案\1结束】", user, re.S)
    merit = {label: int(hashlib.sha256(text.encode()).hexdigest(), 16) for label, text in texts}
    if "ranking" in user:
        return {"reason": "按医理排序", "ranking": sorted(merit, key=merit.get, reverse=True)}
    if "better" in user:
        return {"reason": "前者辨证更准", "better": max(merit, key=merit.get)}
    names = re.findall(r'"(\w+)": 整数', user)
    return {"reason": "大致相符"} | {name: merit[""] // 11**i % 11 for i, name in enumerate(names)}


class FaultyProxy:
    """Forwards chat completions to a server and spoils a share of them.

    Args:
        upstream: address of the API behind it.
        fault_rate: share of requests that are spoiled.
        hang_s: how long a `timeout` fault keeps silent, in seconds; longer than the client waits.
        refuses: request parameters that are answered with 400, as some servers do.
        wants_key: answer 401, quoting the key that came, unless this one comes.

    Attributes:
        requests: requests by judgement (digest of the messages).
        good: valid judgements sent, by judgement.
        faults: faults made, by kind; `rejected_upstream` counts what the real server itself refused.
        waits: seconds from each 429 to the next request for the same judgement.
    """

    def __init__(
        self,
        upstream: str,
        fault_rate: float = 0.0,
        seed: int = 0,
        hang_s: float = 5,
        refuses: tuple[str, ...] = (),
        wants_key: str = "",
    ) -> None:
        self.wants_key = wants_key
        self.refuses = refuses
        self.upstream, self.fault_rate, self.seed = upstream, fault_rate, seed
        self.hang_s = hang_s
        self.requests, self.good, self.faults = Counter(), Counter(), Counter()
        self.waits: list[float] = []
        self._limited: dict[str, float] = {}
        routes = [Route("/v1/chat/completions", self._chat, methods=["POST"])]
        self.port = free_port()
        config = uvicorn.Config(Starlette(routes=routes), port=self.port, log_level="critical")
        self._server = uvicorn.Server(config)
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "FaultyProxy":
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_) -> None:
        self._server.force_exit = self._server.should_exit = True
        self._thread.join(10)

    def _draw(self, key: str) -> str:
        rng = random.Random(f"{self.seed}:{key}:{self.requests[key]}")
        return rng.choice(FAULTS) if rng.random() < self.fault_rate else ""

    async def _chat(self, request) -> Response:
        body = await request.json()
        key_sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.wants_key and key_sent != self.wants_key:
            return JSONResponse({"error": {"message": f"Incorrect API key provided: {key_sent}"}}, 401)
        key = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()
        fault = self._draw(key)
        self.requests[key] += 1
        self.faults[fault or "none"] += 1
        if refused := [name for name in self.refuses if name in body]:
            return JSONResponse({"error": {"message": f"Unsupported parameter: {refused[0]}"}}, 400)
        if key in self._limited:
            self.waits.append(time.monotonic() - self._limited.pop(key))
        if fault == "timeout":
            await asyncio.sleep(self.hang_s)
            return JSONResponse({"error": {"message": "gateway timeout"}}, 504)
        if fault == "rate_limit":
            self._limited[key] = time.monotonic()
            return JSONResponse({"error": {"message": "slow down"}}, 429, {"Retry-After": "0.3"})
        if fault == "server_error":
            return JSONResponse({"error": {"message": "internal error"}}, 500)
        if fault == "dropped":
            return _Dropped()
        return await self._forward(body, key, fault)

    async def _forward(self, body: dict, key: str, fault: str) -> Response:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            reply = await client.post(f"{self.upstream}/chat/completions", json=body)
        if reply.status_code != 200:
            self.faults["rejected_upstream"] += 1
            return Response(reply.content, reply.status_code, media_type="application/json")
        completion = reply.json()
        completion["choices"][0]["message"]["content"] = _spoiled(judgement(body["messages"]), fault)
        completion["choices"][0]["finish_reason"] = "stop"
        if not fault:
            self.good[key] += 1
        return JSONResponse(completion)


def _spoiled(good: dict, fault: str) -> str:
    text = json.dumps(good, ensure_ascii=False)
    if fault == "broken_json":
        return text[: len(text) // 2]
    if fault == "wrong_schema":
        return json.dumps({"reason": good["reason"], "verdict": "好"}, ensure_ascii=False)
    if fault == "out_of_range":
        bad = {"better": "C", "ranking": ["A"]} if len(good) == 2 else dict.fromkeys(good, 11)
        return json.dumps(good | {k: v for k, v in bad.items() if k in good and k != "reason"}, ensure_ascii=False)
    return text


class _Dropped(Response):
    """Promises more bytes than it sends; the server then closes the connection."""

    async def __call__(self, scope, receive, send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": "'})
