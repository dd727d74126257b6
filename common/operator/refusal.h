#pragma once
/* Why a change is refused: which member it is about, and what is wrong. */
struct refusal {
    const char *member; /* NULL: it is about no single one */
    const char *what;   /* part of a sentence that begins with the member's name; a whole one without */
};
