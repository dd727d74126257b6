#include "runtime/version.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include "base/buf.h"
#include "store/format.h"

/* The note's name and contents are padded to four bytes. */
static size_t padded(size_t len)
{
    return (len + 3) & ~(size_t)3;
}

static void add_build_id(struct buf *out, const uint8_t *notes, size_t len)
{
    ElfW(Nhdr) note;
    while (len >= sizeof note) {
        memcpy(&note, notes, sizeof note);
        size_t whole = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
        if (whole > len)
            return;
        const uint8_t *id = notes + sizeof note + padded(note.n_namesz);
        for (size_t i = 0; note.n_type == NT_GNU_BUILD_ID && i < note.n_descsz; i++)
            buf_printf(out, "%02x", id[i]);
        notes += whole;
        len -= whole;
    }
}

/* The first object is the program itself. */
static int look_at_program(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            add_build_id(arg, (const uint8_t *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, info->dlpi_phdr[i].p_memsz);
    return 1;
}

char *version_build(const void *ctx)
{
    struct buf build = buf_make(ctx);
    dl_iterate_phdr(look_at_program, &build);
    return buf_string(&build);
}

char *version_text(const void *ctx, const char *program)
{
    struct buf out = buf_make(ctx);
    buf_printf(&out, "%s %s\nfollows %s\n", program, FORMAT_HERE.version, *PARTITA_FOLLOWS == '\0' ? "none" : PARTITA_FOLLOWS);
    buf_printf(&out, "build %s\nrecords %u\n", version_build(ctx), FORMAT_HERE.format);
    return buf_string(&out);
}
