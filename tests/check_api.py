#!/usr/bin/env python3
"""The service against its own OpenAPI document, by schemathesis (PyPI): requests made from the
schema and others that break it; statuses, content types and bodies must be those of the document.
Then the same four photographs through the service and the command line.

usage: tests/check_api.py PTSINFER [MAX-EXAMPLES]     (weights: as ptsinfer finds them)"""
import json
import os
import re
import subprocess
import sys
import urllib.request

PHOTOS = [os.path.join(os.path.dirname(os.path.abspath(__file__)), f'data/photos/{i}.jpg')
          for i in (1, 2, 3, 4)]


def start(program):
    process = subprocess.Popen([program, 'serve', '--port', '0'], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        found = re.search(r'http://\S+:\d+/', line)
        if found:
            return process, found.group(0)
        sys.stderr.write(line)
    raise SystemExit('ptsinfer serve has not begun')


def multipart(fields, files):
    parts = [f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode()
             for k, v in fields.items()]
    for path in files:
        with open(path, 'rb') as file:
            parts.append(b'--b\r\nContent-Disposition: form-data; name="images"; filename="' +
                         os.path.basename(path).encode() +
                         b'"\r\nContent-Type: image/jpeg\r\n\r\n' + file.read() + b'\r\n')
    return b''.join(parts) + b'--b--\r\n'


def compare(program, url):
    request = urllib.request.Request(
        url + 'api/v1/predict', multipart({'target': '0.3'}, PHOTOS),
        {'Content-Type': 'multipart/form-data; boundary=b'})
    with urllib.request.urlopen(request) as reply:
        service = json.load(reply)
    line = subprocess.run([program, 'predict', '--json', '--target', '0.3', *PHOTOS],
                          stdout=subprocess.PIPE, check=False).stdout
    if service != json.loads(line):
        raise SystemExit(f'service and command line differ:\n{service}\n{line.decode()}')
    print('service and command line: the same answer')


def main():
    program = sys.argv[1]
    examples = sys.argv[2] if len(sys.argv) > 2 else '100'
    process, url = start(program)
    try:
        # The log is not read from here on: a full pipe would stop the service.
        subprocess.Popen(['cat'], stdin=process.stderr, stdout=subprocess.DEVNULL)
        compare(program, url)
        code = subprocess.call([sys.executable, '-m', 'schemathesis.cli', 'run',
                                url + 'api/v1/openapi.json', '--max-examples', examples,
                                '--checks', 'all',
                                # No schema says what a JPEG is, or that a curve may not be flat.
                                '--exclude-checks', 'positive_data_acceptance', '--seed', '43', '--no-color'])
    finally:
        process.terminate()
        ended = process.wait(60)
    raise SystemExit(code or ended)


main()
