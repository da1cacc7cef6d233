"""A power cut: what was written and not synced is undone, page by page, by the journal that tests/e2e/faults_journal.c keeps.

After a sync that failed a page counts as clean and is lost all the same, as it is in Linux: a later sync that succeeds does not bring it to
the disk, only writing it again does. The journal goes on when the daemon is killed and started again, as the page cache does.
"""
import contextlib
import os
import shutil
import struct

PAGE = 4096
HEADER = struct.Struct("<QQQqqqII")


class Pages:
    """Of one file: what the disk has of the pages that it does not have as they are."""

    def __init__(self, path, size):
        self.path = path
        self.size = size   # on the disk
        self.old = {}      # number -> what the disk has, up to the end of the file
        self.dirty = {}    # number -> where in the journal it was written last; one that is lost is not in here

    def note(self, position, offset, end, data):
        for number in range(offset // PAGE, end // PAGE + (end % PAGE > 0)):
            start = number * PAGE - offset
            self.old.setdefault(number, data[start:start + PAGE])
            self.dirty[number] = position

    def synced(self, begun, size):
        for number, position in list(self.dirty.items()):
            if position < begun:
                del self.dirty[number], self.old[number]
        self.size = size

    def failed(self):
        self.dirty.clear()

    def undo(self, loses):
        """Each page for which loses() says so. Returns how many."""
        size = os.path.getsize(self.path)
        is_cut = size < self.size   # not for good: all of it or nothing
        lost = [number for number in self.old if (number * PAGE < size or is_cut) and loses()]
        if is_cut and not lost:
            return 0
        new_size = self.size if is_cut else max([self.size] + [min(size, number * PAGE + PAGE) for number in self.old if number not in lost])
        with open(self.path, "r+b") as file:
            file.truncate(new_size)
            for number in list(self.old) if is_cut else lost:
                file.seek(number * PAGE)
                file.write(self.old[number].ljust(PAGE, b"\0")[:max(0, new_size - number * PAGE)])
        return len(lost)


class Journal:
    def __init__(self, path):
        self.path = path
        self.stash = path + ".stash"
        self.begin()

    def begin(self):
        shutil.rmtree(self.stash, ignore_errors=True)
        os.mkdir(self.stash)
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path)

    def records(self):
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as file:
            while header := file.read(HEADER.size):
                kind, inode, born, offset, end, size, path_len, data_len = HEADER.unpack(header)
                position = file.tell() - HEADER.size
                path = file.read(path_len).decode()
                yield position, chr(kind), (inode, born), offset, end, size, path, file.read(data_len)

    def look(self):
        """(pages of files, names) that are not synced."""
        files, names = {}, []
        for position, kind, identity, offset, end, size, path, data in self.records():
            if kind in "WT":
                pages = files.setdefault(identity, Pages(path, size))
                pages.path = path
                pages.note(position, offset, end, data)
            elif kind in "ULMR":
                names.append((position, kind, path, data.decode()))
            elif kind == "F" and identity in files:
                files[identity].failed()
            elif kind == "S":
                if identity in files:
                    files[identity].synced(offset, size)
                names = [name for name in names if os.path.dirname(name[2]) != path or name[0] >= offset]
        return {identity: pages for identity, pages in files.items() if pages.old}, names

    def cut(self, loses=lambda: True):
        """With nobody running. Returns (pages, names) that were lost."""
        files, names = self.look()
        lost_names = 0
        for _, kind, path, more in reversed(names):
            if loses():
                lost_names += undo_name(kind, path, more)
        paths = {}
        for (inode, _), pages in files.items():
            with contextlib.suppress(FileNotFoundError):   # it has no name, or none any more
                if os.stat(pages.path).st_ino == inode:
                    paths[pages.path] = pages
        lost_pages = sum(pages.undo(loses) for pages in paths.values())
        self.begin()
        return lost_pages, lost_names


def undo_name(kind, path, more):
    with contextlib.suppress(OSError):
        if kind == "U":
            if not os.path.lexists(path):
                os.link(more, path)
        elif kind == "L":
            os.remove(path)
        elif kind == "M":
            shutil.rmtree(path)   # what was synced in it can't be found any more
        else:
            os.rename(path, more)
        return 1
    return 0
