// configtls of the Collector v0.159: keys of clients and servers, and what it refuses.
#include "dataplane/pipeline/net_conf_internal.h"

#include <string.h>

#define TLS_NOTE "TLS is not built in yet"

// clang-format off
static const struct sw_field tpm_fields[] = {
    SW_STRING("path", struct sw_tls_conf, tpm.path, NULL, "device of the TPM"),
    SW_STRING("owner_auth", struct sw_tls_conf, tpm.owner_auth, NULL, "owner authorisation value",
              .flags = SW_FIELD_OPAQUE),
    SW_STRING("auth", struct sw_tls_conf, tpm.auth, NULL, "authorisation value of the key",
              .flags = SW_FIELD_OPAQUE),
    SW_FIELD_END,
};
// clang-format on

#define TLS .support = SW_NOT_YET, .note = TLS_NOTE

// clang-format off
static const struct sw_field common_fields[] = {
    SW_STRING("ca_file", struct sw_tls_conf, ca_file, NULL, "certificates of trusted CAs", TLS),
    SW_STRING("ca_pem", struct sw_tls_conf, ca_pem, NULL, "the same as text", TLS,
              .flags = SW_FIELD_OPAQUE | SW_FIELD_OMIT),
    SW_STRING("cert_file", struct sw_tls_conf, cert_file, NULL, "own certificate", TLS),
    SW_STRING("cert_pem", struct sw_tls_conf, cert_pem, NULL, "the same as text", TLS,
              .flags = SW_FIELD_OPAQUE | SW_FIELD_OMIT),
    SW_STRING("key_file", struct sw_tls_conf, key_file, NULL, "own private key", TLS),
    SW_STRING("key_pem", struct sw_tls_conf, key_pem, NULL, "the same as text", TLS,
              .flags = SW_FIELD_OPAQUE | SW_FIELD_OMIT),
    SW_BOOL("include_system_ca_certs_pool", struct sw_tls_conf, include_system_ca_certs_pool,
            "false", "trust the system's CAs besides the given ones", TLS),
    SW_STRING("min_version", struct sw_tls_conf, min_version, NULL,
              "1.0, 1.1, 1.2 or 1.3; empty is 1.2", TLS),
    SW_STRING("max_version", struct sw_tls_conf, max_version, NULL,
              "1.0, 1.1, 1.2 or 1.3; empty is the newest", TLS),
    SW_STRINGS("cipher_suites", struct sw_tls_conf, cipher_suites, NULL,
               "names as Go writes them; empty is a safe list", TLS),
    SW_BOOL("include_insecure_cipher_suites", struct sw_tls_conf, include_insecure_cipher_suites,
            "false", "allow weak suites in cipher_suites", TLS),
    SW_STRINGS("curve_preferences", struct sw_tls_conf, curve_preferences, NULL,
               "P256, P384, P521, X25519, X25519MLKEM768", TLS),
    SW_DURATION("reload_interval", struct sw_tls_conf, reload_interval_ns, "0s",
                "certificates are read again after this time; 0 never", TLS),
    // The members of tpm lie in the same struct, so the section is offset by nothing.
    {.key = "tpm", .help = "private key in a TPM", .offset = 0, .size = sizeof(struct sw_tls_conf),
     .flag_offset = SW_MEMBER_AT(struct sw_tls_conf, tpm.enabled, bool),
     .kind = SW_FIELD_OPTIONAL, .fields = tpm_fields, .flags = SW_FIELD_OMIT, TLS},
    SW_FIELD_END,
};
// clang-format on

// clang-format off
const struct sw_field sw_tls_client_fields[] = {
    SW_SQUASH(struct sw_tls_client_conf, common, common_fields),
    SW_BOOL("insecure", struct sw_tls_client_conf, insecure, "false",
            "no TLS (unless a CA is given)"),
    SW_BOOL("insecure_skip_verify", struct sw_tls_client_conf, insecure_skip_verify, "false",
            "accept any certificate", TLS),
    SW_STRING("server_name_override", struct sw_tls_client_conf, server_name_override, NULL,
              "name for SNI and verification", TLS),
    SW_FIELD_END,
};
// clang-format on

// clang-format off
const struct sw_field sw_tls_server_fields[] = {
    SW_SQUASH(struct sw_tls_server_conf, common, common_fields),
    SW_STRING("client_ca_file", struct sw_tls_server_conf, client_ca_file, NULL,
              "require client certificates of these CAs", TLS),
    SW_BOOL("client_ca_file_reload", struct sw_tls_server_conf, client_ca_file_reload, "false",
            "read client_ca_file again when it changed", TLS),
    SW_FIELD_END,
};
// clang-format on

static const char *const versions[] = {"1.0", "1.1", "1.2", "1.3", NULL};
static const char *const curves[] = {"P256", "P384", "P521", "X25519", "X25519MLKEM768", NULL};
// crypto/tls.CipherSuites and InsecureCipherSuites of Go 1.24.
static const char *const suites[] = {
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    NULL,
};
static const char *const weak_suites[] = {
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    NULL,
};

static bool both(const char *a, const char *b)
{
    return a[0] != '\0' && b[0] != '\0';
}

static void refuse_suite(const char *name, bool weak, struct sw_check *check)
{
    if (weak) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "cipher_suites",
            "\"%s\" is weak and needs include_insecure_cipher_suites: true",
            name
        );
        return;
    }
    sw_complain_word(
        check,
        SW_COMPLAINT_ERROR,
        "cipher_suites",
        name,
        suites,
        "unknown cipher suite \"%s\"",
        name
    );
}

static void check_names(const struct sw_tls_conf *tls, struct sw_check *check)
{
    for (size_t i = 0; i < tls->cipher_suites.count; i++) {
        const char *name = SW_LIST_AT(tls->cipher_suites, const char *, i);
        bool weak = sw_word_index(weak_suites, name, false) >= 0;
        if (sw_word_index(suites, name, false) < 0
            && !(weak && tls->include_insecure_cipher_suites)) {
            refuse_suite(name, weak, check);
        }
    }
    for (size_t i = 0; i < tls->curve_preferences.count; i++) {
        const char *name = SW_LIST_AT(tls->curve_preferences, const char *, i);
        if (sw_word_index(curves, name, false) < 0) {
            sw_complain_word(
                check,
                SW_COMPLAINT_ERROR,
                "curve_preferences",
                name,
                curves,
                "unknown curve \"%s\"",
                name
            );
        }
    }
}

static void check_common(const struct sw_tls_conf *tls, struct sw_check *check)
{
    const struct {
        const char *file;
        const char *pem;
        const char *key;
    } pairs[] = {
        {tls->ca_file, tls->ca_pem, "ca_pem"},
        {tls->cert_file, tls->cert_pem, "cert_pem"},
        {tls->key_file, tls->key_pem, "key_pem"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (both(pairs[i].file, pairs[i].pem)) {
            sw_complain(
                check,
                SW_COMPLAINT_ERROR,
                pairs[i].key,
                "give either the file or the text, not both"
            );
        }
    }
    int min = tls->min_version[0] == '\0' ? 2 : sw_word_index(versions, tls->min_version, false);
    int max = tls->max_version[0] == '\0' ? 3 : sw_word_index(versions, tls->max_version, false);
    if (min < 0) {
        sw_complain(
            check, SW_COMPLAINT_ERROR, "min_version", "invalid TLS version \"%s\"", tls->min_version
        );
    }
    if (max < 0) {
        sw_complain(
            check, SW_COMPLAINT_ERROR, "max_version", "invalid TLS version \"%s\"", tls->max_version
        );
    }
    if (min >= 0 && max >= 0 && min > max) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            "max_version",
            "min_version cannot be greater than max_version"
        );
    }
    check_names(tls, check);
}

static bool has_cert(const struct sw_tls_conf *tls)
{
    return tls->cert_file[0] != '\0' || tls->cert_pem[0] != '\0';
}

static bool has_key(const struct sw_tls_conf *tls)
{
    return tls->key_file[0] != '\0' || tls->key_pem[0] != '\0' || tls->tpm.enabled;
}

void sw_tls_client_check(void *section, struct sw_check *check)
{
    const struct sw_tls_client_conf *conf = section;
    check_common(&conf->common, check);
    if (has_cert(&conf->common) != has_key(&conf->common)) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            NULL,
            "for a client certificate both the certificate and its key must be given"
        );
    }
}

void sw_tls_server_check(void *section, struct sw_check *check)
{
    const struct sw_tls_server_conf *conf = section;
    check_common(&conf->common, check);
    if (!has_cert(&conf->common) || !has_key(&conf->common)) {
        sw_complain(
            check,
            SW_COMPLAINT_ERROR,
            NULL,
            "TLS configuration must include both certificate and key (cert_file or cert_pem, and "
            "key_file or key_pem)"
        );
    }
}
