# SPDX-License-Identifier: Apache-2.0
"""A small client of the API server. kubectl would cost a process per request, and the storm makes thousands."""
import http.client
import json
import os
import ssl
import threading
import time

RETRY_SECONDS = 60
NOT_READY = (403, 429, 500, 503)  # 403: before the service accounts of a young cluster are there


class ApiError(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text[:300]}")
        self.status = status


class Api:
    def __init__(self, folder, port):
        self.port = port
        self.context = ssl.create_default_context(cafile=os.path.join(folder, "pki", "ca.crt"))
        self.context.load_cert_chain(os.path.join(folder, "pki", "admin.crt"), os.path.join(folder, "pki", "admin.key"))
        self.local = threading.local()

    def connect(self, timeout):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=timeout)

    def once(self, method, path, body, content_type):
        if not getattr(self.local, "connection", None):
            self.local.connection = self.connect(15)
        self.local.connection.request(method, path, body, {"Content-Type": content_type})
        answer = self.local.connection.getresponse()
        return answer.status, answer.read()

    def call(self, method, path, thing=None, content_type="application/json"):
        """The answer as a value. An API server that is away or not ready is asked again."""
        body = None if thing is None else json.dumps(thing)
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                status, text = self.once(method, path, body, content_type)
                if status < 400:
                    return json.loads(text)
                if status not in NOT_READY:
                    raise ApiError(status, text.decode(errors="replace"))
                reason = text.decode(errors="replace")
            except (OSError, http.client.HTTPException) as error:
                self.local.connection = None
                status, reason = 0, str(error)
            if time.monotonic() > deadline:
                raise ApiError(status, f"{method} {path}: {reason}")
            time.sleep(0.2)

    def get(self, path):
        return self.call("GET", path)

    def create(self, path, thing):
        """A request that was cut off may have arrived: that it exists already is as good."""
        try:
            self.call("POST", path, thing)
        except ApiError as error:
            if error.status != 409:
                raise

    def delete(self, path, **options):
        """False where a precondition did not hold."""
        try:
            self.call("DELETE", path, options or None)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return error.status == 404
        return True

    def patch(self, path, thing):
        return self.call("PATCH", path, thing, "application/merge-patch+json")

    def watch(self, path, stopped):
        """("LIST", items), then events, and again a list when the watch was cut; until stopped() says so."""
        while not stopped():
            listed = self.get(path)
            yield "LIST", listed["items"]
            connection = self.connect(30)
            try:
                version = listed["metadata"]["resourceVersion"]
                connection.request("GET", f"{path}?watch=1&timeoutSeconds=25&resourceVersion={version}")
                for line in connection.getresponse():
                    event = json.loads(line)
                    if event["type"] == "ERROR" or stopped():
                        break
                    yield event["type"], event["object"]
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.2)
            finally:
                connection.close()
