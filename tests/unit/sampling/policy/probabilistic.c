/* Vectors of the reference (14): hash, threshold and decision, bit for bit. */
#include "tests/unit/sampling/policy/rig.h"

// The module's own header, for the thresholds themselves.
#include "sampling/policy/policy_internal.h"

#include <math.h>

// clang-format off
static const struct {
    const char *id;
    uint64_t hash; // with the default salt
    bool at_10;
    bool at_50;
    bool salted_at_10;
} ids[] = {
    {"00000000000000000000000000000001", UINT64_C(0xe19535eed1bbaa8a), false, false, true},
    {"0102030405060708090a0b0c0d0e0f10", UINT64_C(0xdbcf64d5420f4cad), false, false, false},
    {"4bf92f3577b34da6a3ce929d0e0e4736", UINT64_C(0xa54533ba2e4970b5), false, false, false},
    {"0af7651916cd43dd8448eb211c80319c", UINT64_C(0x33bf83d45f51634c), false, true, false},
    {"80f198ee56343ba864fe8b2a57d3eff7", UINT64_C(0xe3ca30168209a196), false, false, false},
    {"5b8efff798038103d269b633813fc60c", UINT64_C(0x95f176d291b1d3f7), false, false, false},
    {"ffffffffffffffffffffffffffffffff", UINT64_C(0x17bec3739634fe2d), true, true, false},
    {"deadbeefdeadbeefdeadbeefdeadbeef", UINT64_C(0x21bae8f93346b6ed), false, true, false},
    {"1234567890abcdef1234567890abcdef", UINT64_C(0x005c3665f437ab05), true, true, false},
    {"922f3d9b20be061f1b6990928701ce93", UINT64_C(0x030405477f7a5362), true, true, false},
    {"d5bb3746fdf8d24dfa9d3d7d407756a9", UINT64_C(0x1369be76034f9933), true, true, false},
    {"298fdc62813c72ed1ff8fa69b3b0e545", UINT64_C(0x12cf349dd26b6a3c), true, true, false},
    {"4570337273ad90cf5a645116d3746f1e", UINT64_C(0x14377afc348382a3), true, true, false},
    {"e3e8d1ecc401e9790dc47034fc84ed23", UINT64_C(0x0873b16a06820faf), true, true, false},
    {"310335895508d33c966e508f653b54be", UINT64_C(0x0626ba5cc08b4e96), true, true, false},
    {"a2f82591b4b75de2d9ae1098b9111ae7", UINT64_C(0x194fd979cf9634c1), true, true, false},
    {"2458e54024e466e5b2cf6caac4b9c637", UINT64_C(0x4ce88672d79669bc), false, true, false},
    {"a15919aa5727ffb944e92980007cfc58", UINT64_C(0xb627cf0d1dbe72d4), false, false, false},
    {"7ec7b7c3126bb12a3abffd79d002e921", UINT64_C(0xd08e5fbcc329a3f9), false, false, false},
    {"9b8d41e8ad451b7da54138d781be09da", UINT64_C(0x3914bcbfe20784d1), false, true, false},
    {"16740c1143306c14fd101cda45022f39", UINT64_C(0x19999999999999ff), true, true, false},
    {"386d6a0d2c02192d3f00fc41010de71a", UINT64_C(0x1999999999999a00), false, true, false},
    {"0ce21369de2131c40c0504013fcb0522", UINT64_C(0x19999999999999fe), true, true, false},
    {"2b214c391f310be418130206652b2c14", UINT64_C(0x0000000000000000), true, true, false},
    {"24560b347727050c11532b7d026f21f6", UINT64_C(0xffffffffffffffff), false, false, true},
};

static const struct {
    double percentage;
    uint64_t threshold;
} thresholds[] = {
    {-50, UINT64_C(0)},
    {0, UINT64_C(0)},
    {0.001, UINT64_C(184467440737095)},
    {0.1, UINT64_C(18446744073709551)},
    {1, UINT64_C(184467440737095519)},
    {5, UINT64_C(922337203685477631)},
    {10, UINT64_C(1844674407370955263)},
    {15, UINT64_C(2767011611056432639)},
    {20, UINT64_C(3689348814741910527)},
    {25, UINT64_C(4611686018427387903)},
    {33, UINT64_C(6087425544324152319)},
    {33.3, UINT64_C(6142765776545279999)},
    {50, UINT64_C(9223372036854775807)},
    {75, UINT64_C(13835058055282163711)},
    {90, UINT64_C(16602069666338596863)},
    {99, UINT64_C(18262276632972455935)},
    {99.9, UINT64_C(18428297329635844095)},
    {99.999999, UINT64_C(18446743889242111999)},
    {100, UINT64_C(18446744073709551615)},
    {150, UINT64_C(18446744073709551615)},
};
// clang-format on

static void parse_id(uint8_t id[16], const char *text)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned value = 0;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &value), 1);
        id[i] = (uint8_t)value;
    }
}

static struct policy make(double percentage, const char *salt)
{
    struct policy policy = {.kind = &sw_policy_probabilistic};
    const struct sw_policy_conf conf = {
        .probabilistic = {.hash_salt = salt, .sampling_percentage = percentage},
    };
    const char *why = NULL;
    assert_int_equal(policy.kind->init(&policy, &conf, &why), 0);
    return policy;
}

static bool keeps(const struct policy *policy, const char *text)
{
    struct sw_trace trace = {0};
    parse_id(trace.id, text);
    return policy->kind->votes(policy, &trace);
}

static void test_thresholds_are_the_collectors(void **state)
{
    for (size_t i = 0; i < SW_ARRAY_SIZE(thresholds); i++) {
        struct policy policy = make(thresholds[i].percentage, "");
        assert_true(policy.probabilistic.threshold == thresholds[i].threshold);
    }
}

static void test_decisions_are_the_collectors(void **state)
{
    struct policy at_10 = make(10, "");
    struct policy at_50 = make(50, NULL);
    struct policy salted = make(10, "custom-salt");
    for (size_t i = 0; i < SW_ARRAY_SIZE(ids); i++) {
        assert_int_equal(keeps(&at_10, ids[i].id), ids[i].at_10);
        assert_int_equal(keeps(&at_50, ids[i].id), ids[i].at_50);
        assert_int_equal(keeps(&salted, ids[i].id), ids[i].salted_at_10);
    }
}

static void test_hash_is_the_collectors(void **state)
{
    struct policy policy = make(10, "");
    assert_true(policy.probabilistic.salted == UINT64_C(0x39f88fe94395b4fd));
    for (size_t i = 0; i < SW_ARRAY_SIZE(ids); i++) {
        // Kept exactly from its own hash on.
        policy.probabilistic.threshold = ids[i].hash;
        assert_true(keeps(&policy, ids[i].id));
        policy.probabilistic.threshold = ids[i].hash - 1;
        assert_int_equal(keeps(&policy, ids[i].id), ids[i].hash == 0);
    }
}

static void test_ends_keep_the_one_hash_and_all(void **state)
{
    struct policy none = make(0, "");
    struct policy all = make(100, "");
    struct policy nearly = make(99.999999, "");
    assert_true(keeps(&none, "2b214c391f310be418130206652b2c14"));
    assert_false(keeps(&none, "0ce21369de2131c40c0504013fcb0522"));
    assert_true(keeps(&all, "24560b347727050c11532b7d026f21f6"));
    assert_false(keeps(&nearly, "24560b347727050c11532b7d026f21f6"));
}

static void test_percentage_that_is_no_number_is_refused(void **state)
{
    struct sw_policy_conf policy = {
        .name = "p",
        .type = SW_POLICY_PROBABILISTIC,
        .probabilistic = {.hash_salt = "", .sampling_percentage = NAN},
    };
    char error[128] = "";
    struct sw_policy_set *set = NULL;
    assert_int_equal(rig_set(&policy, 1, error, sizeof(error), &set), SW_E_INVALID);
    assert_string_equal(
        error, "failed to create policy evaluator for \"p\": sampling_percentage is not a number"
    );
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thresholds_are_the_collectors),
        cmocka_unit_test(test_decisions_are_the_collectors),
        cmocka_unit_test(test_hash_is_the_collectors),
        cmocka_unit_test(test_ends_keep_the_one_hash_and_all),
        cmocka_unit_test(test_percentage_that_is_no_number_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
