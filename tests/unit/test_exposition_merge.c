#include "rows.h"

#include "exposition_merge.h"

#define UP "# HELP partita_up 1 when the instance answers its operator.\n# TYPE partita_up gauge\n"
#define UP_A "partita_up{server=\"op-token\",instance=\"op-token@1\"} 1\n"
#define HEAD "# HELP partita_ready Ready.\n# TYPE partita_ready gauge\n"
#define TIMES "# HELP partita_time_seconds Times.\n# TYPE partita_time_seconds histogram\n"
#define OURS "server=\"op-token\",instance=\"op-token@1\""

static void samples_of_several_stand_under_one_heading(void **unused)
{
    (void)unused;
    void *ctx = mem_root("test");
    const struct exposition_part parts[] = {
        {"op-token", "op-token@1", HEAD "partita_ready 1\n" TIMES "partita_time_seconds_bucket{le=\"+Inf\"} 3\n"
                                   "partita_time_seconds_sum 0.5\npartita_time_seconds_count 3\n"},
        {"op-token", "op-token@2", NULL},
        {"op-auth", "op-auth@1", "# HELP partita_ready Said otherwise.\n# TYPE partita_ready gauge\npartita_ready 0\n"},
    };
    assert_string_equal(exposition_merge(ctx, parts, 3),
                        UP UP_A "partita_up{server=\"op-token\",instance=\"op-token@2\"} 0\n"
                        "partita_up{server=\"op-auth\",instance=\"op-auth@1\"} 1\n"
                        HEAD "partita_ready{" OURS "} 1\n"
                        "partita_ready{server=\"op-auth\",instance=\"op-auth@1\"} 0\n"
                        TIMES "partita_time_seconds_bucket{" OURS ",le=\"+Inf\"} 3\n"
                        "partita_time_seconds_sum{" OURS "} 0.5\npartita_time_seconds_count{" OURS "} 3\n");
    assert_string_equal(exposition_merge(ctx, parts, 0), UP);
    talloc_free(ctx);
}

static const struct row {
    const char *name, *line;
    const char *becomes; /* NULL: left out */
} ROWS[] = {
    {"plain", "partita_ready 1", "partita_ready{" OURS "} 1\n"},
    {"a fraction", "partita_ready 1.5e-3", "partita_ready{" OURS "} 1.5e-3\n"},
    {"labels", "partita_ready{env=\"a\",trouble=\"b c=}\"} 1", "partita_ready{" OURS ",env=\"a\",trouble=\"b c=}\"} 1\n"},
    {"an empty value", "partita_ready{error=\"\"} 1", "partita_ready{" OURS ",error=\"\"} 1\n"},
    {"another metric's", "partita_other 1", NULL},
    {"one that goes on", "partita_ready_bucket 1", NULL},
    {"another server", "partita_ready{server=\"op-auth\"} 1", NULL},
    {"another instance", "partita_ready{env=\"a\",instance=\"op-auth@1\"} 1", NULL},
    {"a label twice", "partita_ready{env=\"a\",env=\"b\"} 1", NULL},
    {"many labels", "partita_ready{a=\"\",b=\"\",c=\"\",d=\"\",e=\"\",f=\"\",g=\"\",h=\"\",i=\"\"} 1", NULL},
    {"no label", "partita_ready{} 1", NULL},
    {"a label without a name", "partita_ready{=\"a\"} 1", NULL},
    {"a comma too many", "partita_ready{env=\"a\",} 1", NULL},
    {"no end", "partita_ready{env=\"a\" 1", NULL},
    {"no quotes", "partita_ready{env=a} 1", NULL},
    {"an escape", "partita_ready{env=\"a\\\"\"} 1", NULL},
    {"not ASCII", "partita_ready{env=\"\xff\"} 1", NULL},
    {"a control character", "partita_ready{env=\"\t\"} 1", NULL},
    {"no value", "partita_ready ", NULL},
    {"no number", "partita_ready one", NULL},
    {"two points", "partita_ready 1.2.3", NULL},
    {"a time", "partita_ready 1 1000", NULL},
    {"a word", "words", NULL},
};

static void what_is_no_sample_is_left_out(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        void *ctx = mem_root("test");
        struct exposition_part part = {"op-token", "op-token@1", mem_printf(ctx, HEAD "%s\n", ROWS[i].line)};
        char *want = mem_printf(ctx, UP UP_A "%s%s", ROWS[i].becomes == NULL ? "" : HEAD,
                                ROWS[i].becomes == NULL ? "" : ROWS[i].becomes);
        if (strcmp(exposition_merge(ctx, &part, 1), want) != 0)
            fail_msg("%s: %s", ROWS[i].name, exposition_merge(ctx, &part, 1));
        talloc_free(ctx);
    }
}

static void a_heading_alone_and_a_sample_alone_are_nothing(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        HEAD, "partita_ready 1\n", "# HELP partita_ready Ready.\npartita_ready 1\n", "# TYPE partita_ready gauge\npartita_ready 1\n",
        "# HELP partita_ready Ready.\n# TYPE partita_ready summary\npartita_ready 1\n",
        "# HELP partita_ready A \\escape.\n# TYPE partita_ready gauge\npartita_ready 1\n",
        "# HELP partita_up Up.\n# TYPE partita_up gauge\npartita_up 1\n", "", "\n\n#\n# \n# HELP\n# HELP \n# TYPE x",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        void *ctx = mem_root("test");
        struct exposition_part part = {"op-token", "op-token@1", texts[i]};
        assert_string_equal(exposition_merge(ctx, &part, 1), UP UP_A);
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_of_several_stand_under_one_heading),
        cmocka_unit_test(what_is_no_sample_is_left_out),
        cmocka_unit_test(a_heading_alone_and_a_sample_alone_are_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
