"""Content codings by the names that HTTP and gRPC have for them, by other hands than the product's."""
import zlib

import cramjam

SNAPPY_HEADER = b"\xff\x06\x00\x00sNaPpY"
CODERS = {"gzip": cramjam.gzip, "zlib": cramjam.zlib, "deflate": cramjam.zlib, "zstd": cramjam.zstd,
          "lz4": cramjam.lz4, "x-snappy-framed": cramjam.snappy, "snappy-framed": cramjam.snappy}


def pack(name, data):
    """`raw-deflate` is deflate without a container, which nobody should accept."""
    if name == "snappy":
        return bytes(cramjam.snappy.compress_raw(data))
    if name == "raw-deflate":
        coder = zlib.compressobj(wbits=-15)
        return coder.compress(data) + coder.flush()
    return bytes(CODERS[name].compress(data))


def unpack(name, data, framed=False):
    """`framed`: as in gRPC, where snappy is a stream."""
    if name in ("", "identity") or not data:
        return data
    if name == "snappy":
        framed = framed or data.startswith(SNAPPY_HEADER)
        return bytes(cramjam.snappy.decompress(data) if framed else cramjam.snappy.decompress_raw(data))
    return bytes(CODERS[name].decompress(data))
