"""The .proto files against those of the releases, and each kind of breach on examples: every one is refused by its line."""
import functools
import glob
import os
import re

import pytest

import protos

ROOT = protos.ROOT
BEFORE = """
enum Colour { RED = 0; GREEN = 1; }
message Grant { optional string client_id = 1; optional int64 at = 2; repeated string scopes = 3; }
message Family {
  optional uint32 needs = 1; optional bytes family_id = 2; optional Grant grant = 3; optional bool dead = 4;
  repeated string reasons = 5; optional Colour colour = 6; repeated Grant more = 7; reserved 8; reserved "lost";
  message Inner { optional string text = 1; }
  optional Inner inner = 9;
  repeated uint32 numbers = 10;
}
message Gone { optional uint32 needs = 1; }
"""


@functools.cache
def compiled(text):
    return protos.compiled({"records.proto": 'syntax = "proto2";\npackage rec;\n' + text})


def lines(*texts):
    """What is wrong with the last, the others being the releases before it."""
    *before, now = [compiled(text) for text in texts]
    return protos.breaches(before, now)


@pytest.mark.parametrize("what, old, new, line", [
    ("nothing", "", "", None),
    ("a field more", "optional bool dead = 4;", "optional bool dead = 4; optional string note = 11;", None),
    ("a message more", "message Gone", "message Fresh { optional uint32 needs = 1; }\nmessage Gone", None),
    ("a value more", "GREEN = 1;", "GREEN = 1; BLUE = 2;", None),
    ("removed and reserved", "optional bool dead = 4;", 'reserved 4; reserved "dead";', None),
    ("another order", "optional uint32 needs = 1; optional bytes family_id = 2;", "optional bytes family_id = 2; optional uint32 needs = 1;", None),
    ("renumbered", "optional bool dead = 4;", 'optional bool dead = 11; reserved 4;', "rec.Family.dead: its number was 4 and is 11"),
    ("removed", "optional bool dead = 4;", "", "rec.Family.dead: removed without \"reserved 4;\" and 'reserved \"dead\";'"),
    ("its number alone reserved", "optional bool dead = 4;", "reserved 4;", "rec.Family.dead: removed without \"reserved 4;\" and 'reserved \"dead\";'"),
    ("its name alone reserved", "optional bool dead = 4;", 'reserved "dead";', "rec.Family.dead: removed without \"reserved 4;\" and 'reserved \"dead\";'"),
    ("a number given again", "optional bool dead = 4;", "optional bool ended = 4;",
     "rec.Family: number 4 was dead and is ended: a number is never given again, a field never renamed"),
    ("two numbers exchanged", "optional string client_id = 1; optional int64 at = 2;", "optional int64 at = 1; optional string client_id = 2;",
     "rec.Grant: number 1 was client_id and is at: a number is never given again, a field never renamed"),
    ("re-typed", "optional bool dead = 4;", "optional uint32 dead = 4;", "rec.Family.dead: its type was bool and is uint32"),
    ("bytes to string", "optional bytes family_id = 2;", "optional string family_id = 2;", "rec.Family.family_id: its type was bytes and is string"),
    ("another message", "optional Inner inner = 9;", "optional Grant inner = 9;",
     "rec.Family.inner: its type was message .rec.Family.Inner and is message .rec.Grant"),
    ("optional to repeated", "optional bool dead = 4;", "repeated bool dead = 4;", "rec.Family.dead: it was optional and is repeated"),
    ("repeated to optional", "repeated string reasons = 5;", "optional string reasons = 5;", "rec.Family.reasons: it was repeated and is optional"),
    ("a message to several", "optional Grant grant = 3;", "repeated Grant grant = 3;", "rec.Family.grant: it was optional and is repeated"),
    ("optional to required", "optional bool dead = 4;", "required bool dead = 4;", "rec.Family.dead: it was optional and is required"),
    ("required", "optional bool dead = 4;", "optional bool dead = 4; required bool x = 11;", "rec.Family.x: a required field can never be left out again"),
    ("another default", "optional bool dead = 4;", "optional bool dead = 4 [default = true];", "rec.Family.dead: its default was '' and is 'true'"),
    ("packed", "repeated uint32 numbers = 10;", "repeated uint32 numbers = 10 [packed = true];", "rec.Family.numbers: [packed] changed"),
    ("into a oneof", "optional bool dead = 4;", "oneof end { bool dead = 4; }", "rec.Family.dead: it moved into a oneof, or out of one"),
    ("a reserved number", 'reserved 8; reserved "lost";', 'optional bool found = 8; reserved "lost";',
     "rec.Family.found: number 8 was reserved by a field that is gone, and is given again"),
    ("a reserved name", 'reserved 8; reserved "lost";', "reserved 8; optional bool lost = 11;",
     "rec.Family.lost: the name was reserved by a field that is gone, and is given again"),
    ("a number no longer reserved", 'reserved 8; reserved "lost";', 'reserved "lost";', "rec.Family: number 8 is no longer reserved"),
    ("a name no longer reserved", 'reserved 8; reserved "lost";', "reserved 8;", 'rec.Family: the name "lost" is no longer reserved'),
    ("a message removed", "message Gone { optional uint32 needs = 1; }", "", "rec.Gone: the message was removed"),
    ("a message renamed", "message Gone", "message Went", "rec.Gone: the message was removed"),
    ("an inner field re-typed", "optional string text = 1;", "optional bytes text = 1;", "rec.Family.Inner.text: its type was string and is bytes"),
    ("an enum's value renumbered", "GREEN = 1;", "GREEN = 2;", "rec.Colour.GREEN: its number was 1 and is 2"),
    ("an enum's value removed", "GREEN = 1;", "", "rec.Colour.GREEN: its number was 1 and is gone"),
    ("a record without needs", "message Gone", "message Fresh { optional string needs = 1; }\nmessage Gone",
     "rec.Fresh: a record begins with optional uint32 needs = 1"),
])
def test_a_breach_is_refused_by_its_line(what, old, new, line):
    assert old in BEFORE
    found = lines(BEFORE, BEFORE.replace(old, new, 1))
    assert line in found if line else found == [], (what, found)


def test_what_an_older_release_had_is_not_given_again():
    gone = BEFORE.replace("optional bool dead = 4;", 'reserved 4; reserved "dead";')
    forgotten = BEFORE.replace("optional bool dead = 4;", "")
    again = "rec.Family.dead: number 4 or its name was removed once, and is given again"
    assert lines(BEFORE, gone, gone) == []
    assert again in lines(BEFORE, gone, BEFORE)
    assert again in lines(BEFORE, forgotten, BEFORE)
    assert again in lines(BEFORE, forgotten, BEFORE.replace("bool dead = 4;", "bool ended = 4;"))
    assert again in lines(BEFORE, forgotten, BEFORE.replace("bool dead = 4;", "bool dead = 11;"))
    # against the oldest, too: the one between has lost it, so that nothing shows there
    assert "rec.Family.dead: its type was bool and is string" in lines(BEFORE, forgotten, BEFORE.replace("bool dead = 4;", "string dead = 4;"))


def test_the_records_of_this_tree_can_be_read_by_the_releases():
    before = protos.releases()
    assert before, "no release of the file `releases` is an ancestor of this tree"
    assert protos.breaches([protos.compiled(protos.files_at(commit)) for _, commit in before], protos.compiled(protos.files_here())) == []


def test_the_check_sees_this_tree():
    """The real files with one change, so that it is known to look at them."""
    before = [protos.compiled(protos.files_at(commit)) for _, commit in protos.releases()]
    here = protos.files_here()
    changed = {"records.proto": here["records.proto"].replace("optional bytes family_id = 2;    // 16 random bytes", "optional bytes family_id = 70;")}
    assert changed != here
    assert "rec.Family.family_id: its number was 2 and is 70" in protos.breaches(before, protos.compiled(changed))


# --- nested messages are changed in place ---

# Where a nested message is made, and of what record that did not exist before. Who builds one for a record that existed
# loses the fields that a newer version put there.
MADE = {
    ("Grant", "op-auth/authorization_decide.c"): "of a new code, or of the first decision about a device's request",
    ("Grant", "op-token/client_credentials.c"): "of a token that is stored nowhere",
    ("Grant", "op-token/issue.c"): "for the tokens of one answer; it is never stored",
    ("Grant", "common/protocol/access_token.c"): "of a token that was read; it is never stored",
    ("Mail", "common/runtime/notice.c"): "of a new message",
    ("Claim", "common/operator/operate_user_claims.c"): "one that the user did not have",
    ("RefreshGeneration", "common/protocol/refresh_token.c"): "the new one",
}


def made_in(text, messages):
    """The nested messages that a source makes: by their descriptor, initialiser or init function, or by copying one."""
    found = set()
    for message in messages:
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", message).lower()
        made = rf"records_new\([^;]*rec__{snake}__descriptor|REC__{snake.upper()}__INIT|rec__{snake}__init|\(Rec__{message}\)|\w\([^;]*\bRec__{message}\)|\bRec__{message} \w+ ?[=;]"
        if re.search(made, text):
            found.add(message)
    return found


@functools.cache
def nested():
    return {name.split(".", 1)[1] for name in protos.nested_in_others(protos.compiled(protos.files_here()))}


@pytest.mark.parametrize("text", [
    "grant = records_new(ctx, &rec__grant__descriptor);", "family->grant = records_new(family,\n    &rec__grant__descriptor);",
    "Rec__Grant grant = REC__GRANT__INIT;", "rec__grant__init(&grant);", "Rec__Grant copy = *family->grant;", "Rec__Grant copy;",
    "*family->grant = (Rec__Grant){.client_id = id};", "grant = mem_new(ctx, Rec__Grant);", "talloc_memdup(ctx, old, sizeof(Rec__Grant))"])
def test_a_nested_message_that_is_made_is_seen(text):
    assert made_in(text, {"Grant", "RefreshGeneration"}) == {"Grant"}


@pytest.mark.parametrize("text", ["const Rec__Grant *grant = family->grant;", "family->grant->sid = sid;", "records_unpack(ctx, &rec__grant__descriptor, in, &grant)",
                                  "list = mem_array(ctx, Rec__Grant *, count);", "static void f(const Rec__Grant *grant)"])
def test_one_that_is_used_is_not(text):
    assert made_in(text, {"Grant"}) == set()


def test_nested_messages_are_made_only_where_their_record_is_new():
    found = {(message, os.path.relpath(path, ROOT)) for folder in ("common", "op-*", "opctl")
             for path in glob.glob(os.path.join(ROOT, folder, "**", "*.[ch]"), recursive=True)
             for message in made_in(open(path, encoding="utf-8").read(), nested())}
    assert nested() == {"Claim", "Grant", "Mail", "RefreshGeneration"}
    assert found == set(MADE)
