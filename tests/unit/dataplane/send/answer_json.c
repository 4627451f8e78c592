/* Answers of backends in JSON. */
#include "dataplane/send/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char room[64];
static struct sw_export_response response;

static int read_text(const char *text)
{
    memset(room, 0, sizeof(room));
    return sw_answer_json(
        (struct sw_http_text){text, strlen(text)}, &response, room, sizeof(room) - 1
    );
}

static void test_success_says_nothing(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        " {\"partialSuccess\": {}} ",
        "{\"partialSuccess\":null}",
        "null",
        "{\"x\":[1,{\"a\":[null,true,\"y\\\"\"]}],\"partialSuccess\":{\"rejectedSpans\":\"0\"}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(read_text(texts[i]), 0);
        assert_false(response.has_partial);
    }
}

static void test_partial_success_is_read_for_every_signal(void **state)
{
    static const char *const texts[] = {
        "{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"a\\u00e4\\ud83d\\ude00\"}"
        "}",
        "{\"partialSuccess\":{\"errorMessage\":\"a\xc3\xa4\xf0\x9f\x98\x80\","
        "\"rejectedDataPoints\":3}}",
        "{\"partial_success\":{\"error_message\":\"a\\u00e4\\ud83d\\ude00\",\"rejected_log_"
        "records\":3}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(read_text(texts[i]), 0);
        assert_true(response.has_partial);
        assert_int_equal(response.rejected, 3);
        assert_string_equal(room, "a\xc3\xa4\xf0\x9f\x98\x80");
        assert_int_equal(response.message.size, strlen(room));
    }
    assert_int_equal(read_text("{\"partialSuccess\":{\"errorMessage\":\"only words\"}}"), 0);
    assert_true(response.has_partial);
}

static void test_what_is_no_answer_is_refused(void **state)
{
    static const char *const texts[] = {
        "x",
        "[]",
        "{\"partialSuccess\":1}",
        "{\"partialSuccess\":{\"rejectedSpans\":\"3x\"}}",
        "{\"partialSuccess\":{\"errorMessage\":\"\\x\"}}",
        "{\"partialSuccess\":{\"errorMessage\":\"open",
        "{\"a\":1,}",
        "{\"a\"",
        "{\"a\":[1,2}",
        "{\"a\":\"\\ud8",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(read_text(texts[i]), SW_E_MALFORMED);
    }
    char deep[400];
    memset(deep, '[', sizeof(deep));
    memcpy(deep, "{\"a\":", 5);
    deep[sizeof(deep) - 1] = '\0';
    assert_int_equal(read_text(deep), SW_E_MALFORMED);
}

static void test_long_messages_are_cut(void **state)
{
    char text[300];
    memset(text, 'm', sizeof(text));
    static const char begin[] = "{\"partialSuccess\":{\"errorMessage\":\"";
    memcpy(text, begin, sizeof(begin) - 1);
    strcpy(text + sizeof(text) - 4, "\"}}");
    assert_int_equal(read_text(text), 0);
    assert_int_equal(response.message.size, sizeof(room) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_success_says_nothing),
        cmocka_unit_test(test_partial_success_is_read_for_every_signal),
        cmocka_unit_test(test_what_is_no_answer_is_refused),
        cmocka_unit_test(test_long_messages_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
