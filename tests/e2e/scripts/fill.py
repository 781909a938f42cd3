"""Needs 64 MiB of disk, and fails as programs do where they are not there."""
with open("big", "wb") as file:
    for _ in range(64):
        file.write(b"x" * (1 << 20))
        file.flush()
print("enough room")
