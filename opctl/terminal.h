#pragma once
/* Passwords, from a person at the terminal or from standard input; never from an argument. */
#include "base/err.h"
#include "base/mem.h"

/* A new password: asked for twice without echo when standard input is a terminal, otherwise the first line
 * of standard input. Owned by ctx, wiped with it. OP_INVALID: *ret_why says what is wrong with it (static
 * text). Blocks. */
must_check enum op_err terminal_new_password(const void *ctx, const char *prompt, char **ret, const char **ret_why);

/* One line from a person, who sees what is typed. Owned by ctx. OP_ABSENT, OP_TOO_LARGE, OP_INVALID, OP_BROKEN.
 * Blocks. */
must_check enum op_err terminal_answer(const void *ctx, const char *prompt, char **ret);

/* NULL, or what is wrong with a password that an operator gives (static text): shorter than 8 characters,
 * longer than 1024 bytes, not UTF-8, control characters. */
const char *terminal_password_problem(const void *ctx, const char *password);
