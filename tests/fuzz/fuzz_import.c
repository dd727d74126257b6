/* Files that are imported: what is cut out of them ends, stays within its bounds and is read or refused with a reason;
 * a hash that is read is stored in a form that is read again as the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/password_import.h"
#include "data/password_phc.h"
#include "import_csv.h"
#include "import_json.h"
#include "import_row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct import_rules RULES = {.keep_ids = true, .memory_max_kib = 65536};

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_hash(const void *ctx, const char *text)
{
    char *phc = NULL, *again = NULL;
    const char *why = NULL;
    struct password_phc parsed;
    if (password_import(ctx, text, RULES.memory_max_kib, &phc, &why) != OP_OK) {
        require(phc == NULL && why != NULL);
        return;
    }
    require(password_phc_read(ctx, phc, &parsed) == OP_OK);
    require(password_import(ctx, phc, RULES.memory_max_kib, &again, &why) == OP_OK && strcmp(phc, again) == 0);
}

static void check_row(enum op_err err, const struct import_row *row, const char *why)
{
    require(err == OP_OK ? row->username != NULL && row->claims != NULL : why != NULL);
}

static void check_csv(const void *ctx, FILE *file, size_t size)
{
    struct import_source source;
    struct csv_row header, row;
    struct import_row read;
    const char *why = NULL;
    import_source_start(&source, file);
    if (csv_read(&source, ctx, &header, &why) != OP_OK || import_row_check_header(ctx, &header, &why) != OP_OK)
        return;
    enum op_err err;
    for (size_t i = 0; (err = csv_read(&source, ctx, &row, &why)) != OP_ABSENT; i++) {
        require(i <= size && source.record_line <= source.line);
        if (err == OP_OK)
            check_row(import_row_read_csv(ctx, &header, &row, &RULES, &read, &why), &read, why);
    }
}

static void check_json(const void *ctx, FILE *file, size_t size)
{
    struct import_source source;
    struct import_json json;
    struct import_row read;
    struct bytes text;
    const char *why = NULL;
    json_t *object;
    enum op_err err;
    import_source_start(&source, file);
    import_json_start(&json, &source);
    for (size_t i = 0; (err = import_json_next(&json, ctx, &text, &why)) != OP_ABSENT; i++) {
        require(i <= size && (err != OP_OK || (text.len > 0 && text.len <= IMPORT_RECORD_MAX)));
        if (err == OP_OK && json_read(ctx, text, &object) == OP_OK)
            check_row(import_row_read(ctx, object, &RULES, &read, &why), &read, why);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    void *ctx = mem_root("fuzz");
    check_hash(ctx, mem_strndup(ctx, (const char *)data, size));
    FILE *file = fmemopen((void *)data, size, "r");
    require(file != NULL);
    check_csv(ctx, file, size);
    rewind(file);
    check_json(ctx, file, size);
    fclose(file);
    talloc_free(ctx);
    return 0;
}
