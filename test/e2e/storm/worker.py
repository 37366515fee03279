# SPDX-License-Identifier: Apache-2.0
"""A thread of the storm. What it fails with is kept for the main thread, which ends the storm with it."""
import threading


class Worker(threading.Thread):
    def __init__(self, name):
        super().__init__(daemon=True, name=name)
        self.stopping, self.trouble = threading.Event(), None

    def run(self):
        try:
            self.work()
        except Exception as error:  # pylint: disable=broad-except
            self.trouble = error

    def work(self):
        """Until self.stopping is set."""
        raise NotImplementedError

    def stop(self):
        self.stopping.set()
        self.join()
