#!/usr/bin/env python3
"""The page's files as C arrays, plain and gzip'd, with an ETag of their bytes.

usage: embed.py OUT.c FILE...

index.html is served as /, openapi.json as /api/v1/openapi.json, answer*.html are templates that are
not served, every other file under its own name."""
import gzip
import hashlib
import os
import sys

TYPES = {
    '.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8', '.json': 'application/json',
    '.svg': 'image/svg+xml', '.png': 'image/png', '.ico': 'image/x-icon',
    '.webmanifest': 'application/manifest+json', '.txt': 'text/plain; charset=utf-8',
}


def served_as(name):
    if name == 'index.html':
        return '/'
    if name == 'openapi.json':
        return '/api/v1/openapi.json'
    if name.startswith('answer') and name.endswith('.html'):
        return name
    return '/' + name


def array(name, data):
    lines = [f'static const unsigned char {name}[] = {{']
    for i in range(0, len(data), 24):
        lines.append(' ' + ''.join(f'{b},' for b in data[i:i + 24]))
    return '\n'.join(lines) + ' 0};\n'


def main():
    out, files = sys.argv[1], sorted(sys.argv[2:])
    parts, rows = ['#include "web/assets.h"\n'], []
    for i, path in enumerate(files):
        name = os.path.basename(path)
        with open(path, 'rb') as file:
            data = file.read()
        packed = gzip.compress(data, 9, mtime=0)
        tag = hashlib.sha256(data).hexdigest()[:16]
        parts += [array(f'data{i}', data), array(f'gzip{i}', packed)]
        rows.append(f'    {{"{served_as(name)}", "{TYPES[os.path.splitext(name)[1]]}", '
                    f'"\\"{tag}\\"", data{i}, gzip{i}, {len(data)}, {len(packed)}}},')
    parts.append('const web_asset pts_web_assets[] = {\n' + '\n'.join(rows) + '\n};')
    parts.append(f'const size_t pts_web_asset_count = {len(files)};\n')
    with open(out, 'w', encoding='ascii') as file:
        file.write('\n'.join(parts))


main()
