"""The AWS CLI without its start: loaded once, forked for each command.  `python server.py SOCKET`, then `aws.py`.

What runs is the AWS CLI as it is installed; only the second that it takes to load is saved, a hundred times.
"""

import json
import os
import signal
import socket
import sys
import traceback


def main(path: str) -> None:
    from awscli.clidriver import create_clidriver

    driver = create_clidriver()
    for service in ("ec2", "elasticache", "elbv2"):
        driver.session.get_service_model(service)
        driver.session.create_client(
            service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(16)
    print("Ready.", flush=True)
    while True:
        asking, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            serve(driver, asking)
        asking.close()


def serve(driver, asking: socket.socket) -> None:
    code = 255
    try:
        text, descriptors, _, _ = socket.recv_fds(asking, 1 << 20, 2)
        asked = json.loads(text)
        for number, descriptor in enumerate(descriptors, 1):
            os.dup2(descriptor, number)
        os.environ.clear()
        os.environ.update(asked["environment"])
        code = driver.main(asked["words"])
        sys.stdout.flush()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 2
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    asking.sendall(bytes([code & 255]))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
