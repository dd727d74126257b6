"""Whether records can still be read by the version before, and by the one before that: the .proto files of this tree held
against those of the releases (docs/versions.md says what may change).

usage: /usr/bin/python3 tests/structure/protos.py      prints each breach; exit status 1 when there is one"""
import glob
import os
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FOLDER = "common/data/records"
KINDS = {number: name[6:].lower() for name, number in descriptor_pb2.FieldDescriptorProto.Label.items()}


class Broken(Exception):
    """The files cannot be compared at all."""


def compiled(files):
    """The descriptor set of .proto files, given as {name: text}."""
    with tempfile.TemporaryDirectory(prefix="protos-") as folder:
        for name, text in files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        out = os.path.join(folder, "set")
        done = subprocess.run(["protoc", f"--proto_path={folder}", f"--descriptor_set_out={out}", *sorted(files)], cwd=folder,
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise Broken(done.stderr.strip())
        with open(out, "rb") as file:
            return descriptor_pb2.FileDescriptorSet.FromString(file.read())


def messages_of(descriptors):
    """Every message by its full name, those inside others too."""
    found = {}

    def add(scope, messages):
        for message in messages:
            found[f"{scope}.{message.name}"] = message
            add(f"{scope}.{message.name}", message.nested_type)
    for file in descriptors.file:
        add(file.package, file.message_type)
    return found


def enums_of(descriptors):
    found = {f"{file.package}.{enum.name}": enum for file in descriptors.file for enum in file.enum_type}
    for name, message in messages_of(descriptors).items():
        found |= {f"{name}.{enum.name}": enum for enum in message.enum_type}
    return found


def nested_in_others(descriptors):
    """The messages that are fields of others."""
    return {field.type_name.lstrip(".") for message in messages_of(descriptors).values() for field in message.field
            if field.type_name and field.type == field.TYPE_MESSAGE}


def type_of(field):
    name = descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)[5:].lower()
    return f"{name} {field.type_name}" if field.type_name else name


def is_reserved(message, number):
    return any(span.start <= number < span.end for span in message.reserved_range)


def field_breaches(where, old, new):
    """One field that both have, by its number."""
    if old.name != new.name:
        yield f"{where}: number {old.number} was {old.name} and is {new.name}: a number is never given again, a field never renamed"
        return
    if type_of(old) != type_of(new):
        yield f"{where}.{old.name}: its type was {type_of(old)} and is {type_of(new)}"
    if old.label != new.label:
        yield f"{where}.{old.name}: it was {KINDS[old.label]} and is {KINDS[new.label]}"
    if old.default_value != new.default_value:
        yield f"{where}.{old.name}: its default was {old.default_value!r} and is {new.default_value!r}"
    if old.options.packed != new.options.packed:
        yield f"{where}.{old.name}: [packed] changed"
    if old.HasField("oneof_index") != new.HasField("oneof_index"):
        yield f"{where}.{old.name}: it moved into a oneof, or out of one"


def message_breaches(where, old, new):
    numbers, names = {field.number: field for field in new.field}, {field.name: field for field in new.field}
    for field in old.field:
        there = numbers.get(field.number)
        if there is not None:
            yield from field_breaches(where, field, there)
        elif field.name in names:
            yield f"{where}.{field.name}: its number was {field.number} and is {names[field.name].number}"
        elif not is_reserved(new, field.number) or field.name not in new.reserved_name:
            yield f'{where}.{field.name}: removed without "reserved {field.number};" and \'reserved "{field.name}";\''
    for span in old.reserved_range:
        for number in range(span.start, min(span.end, span.start + 1000)):
            if number in numbers:
                yield f"{where}.{numbers[number].name}: number {number} was reserved by a field that is gone, and is given again"
            elif not is_reserved(new, number):
                yield f"{where}: number {number} is no longer reserved"
    for name in old.reserved_name:
        if name in names:
            yield f"{where}.{name}: the name was reserved by a field that is gone, and is given again"
        elif name not in new.reserved_name:
            yield f'{where}: the name "{name}" is no longer reserved'


def enum_breaches(where, old, new):
    now = {value.name: value.number for value in new.value}
    for value in old.value:
        if now.get(value.name) != value.number:
            yield f"{where}.{value.name}: its number was {value.number} and is {now.get(value.name, 'gone')}"


def breaches_since(old, new):
    """What a reader or writer of the old files would misread in the new ones' records."""
    for kind, find, judge in (("message", messages_of, message_breaches), ("enum", enums_of, enum_breaches)):
        before, now = find(old), find(new)
        for name in sorted(before):
            if name in now:
                yield from judge(name, before[name], now[name])
            else:
                yield f"{name}: the {kind} was removed"


def given_again(older, new):
    """What was there in one release, gone in a later one, and is there now."""
    for first, release in enumerate(older):
        for name, message in messages_of(release).items():
            for field in message.field:
                for later in older[first + 1:]:
                    between = messages_of(later).get(name)
                    now = messages_of(new).get(name)
                    if between is None or now is None or field.number in [other.number for other in between.field]:
                        continue
                    if field.number in [other.number for other in now.field] or field.name in [other.name for other in now.field]:
                        yield f"{name}.{field.name}: number {field.number} or its name was removed once, and is given again"


def own_breaches(new):
    """What no file may have, whatever was before."""
    nested = nested_in_others(new)
    for name, message in messages_of(new).items():
        for field in message.field:
            if field.label == field.LABEL_REQUIRED:
                yield f"{name}.{field.name}: a required field can never be left out again"
        needs = [field for field in message.field if field.name == "needs"]
        if name not in nested and not (len(needs) == 1 and needs[0].number == 1 and type_of(needs[0]) == "uint32"
                                       and needs[0].label == needs[0].LABEL_OPTIONAL):
            yield f"{name}: a record begins with optional uint32 needs = 1"


def breaches(releases, new):
    """All, each once; releases from the oldest to the newest, as descriptor sets."""
    found = list(own_breaches(new)) + list(given_again(releases, new))
    for release in reversed(releases):
        found += breaches_since(release, new)
    return list(dict.fromkeys(found))


# --- the files ---

def git(*words):
    done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Broken(f"git {' '.join(words)}: {done.stderr.strip()} (the history of the releases is needed: git fetch --unshallow)")
    return done.stdout


def version_here():
    with open(os.path.join(ROOT, "meson.build"), encoding="utf-8") as file:
        return file.read().split("version: '", 1)[1].split("'", 1)[0]


def releases():
    """(version, commit) of the file `releases` that this tree came after, from the oldest to the newest."""
    with open(os.path.join(ROOT, "releases"), encoding="utf-8") as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    found = []
    for version, commit in lines:
        git("cat-file", "-e", commit + "^{commit}")
        ancestor = subprocess.run(["git", "-C", ROOT, "merge-base", "--is-ancestor", commit, "HEAD"], timeout=60, check=False)
        if ancestor.returncode == 0 and version != version_here():
            found.append((version, commit))
    return found


def files_at(commit):
    names = [name for name in git("ls-tree", "-r", "--name-only", commit, FOLDER).splitlines() if name.endswith(".proto")]
    return {os.path.basename(name): git("show", f"{commit}:{name}") for name in names}


def files_here():
    found = {}
    for path in glob.glob(os.path.join(ROOT, FOLDER, "*.proto")):
        with open(path, encoding="utf-8") as file:
            found[os.path.basename(path)] = file.read()
    return found


def main():
    try:
        found = breaches([compiled(files_at(commit)) for _, commit in releases()], compiled(files_here()))
    except Broken as why:
        found = [str(why)]
    print("\n".join(found) if found else "records can be read by " + ", ".join(version for version, _ in releases()))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
