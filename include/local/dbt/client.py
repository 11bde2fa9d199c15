"""`dbt`, run by the warm parent: python -I -S client.py SOCKET DBT [ARGUMENT…].

Hands the parent its arguments, environment, folder and standard streams, and ends as the child that does the work ends.
When this process is killed, the parent ends the child. Where no parent answers, DBT itself is executed.
"""

import array
import json
import os
import socket
import sys


def main() -> int:
    path, dbt, *arguments = sys.argv[1:]
    folder = os.getcwd()  # noqa: PTH109 - pathlib takes long to import
    request = json.dumps({"arguments": arguments, "environ": dict(os.environ), "folder": folder}).encode()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError:
        os.execv(dbt, [dbt, *arguments])
    streams = array.array("i", [0, 1, 2])
    connection.sendmsg([len(request).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    connection.sendall(request)
    answer = connection.recv(1)
    if not answer:
        print(f"dbt: the warm parent at {path} ended before dbt did; see its log", file=sys.stderr)
        return 70  # EX_SOFTWARE
    return answer[0]


if __name__ == "__main__":
    sys.exit(main())
