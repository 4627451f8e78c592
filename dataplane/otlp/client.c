#include "dataplane/otlp/client.h"

#include "dataplane/base/mem.h"

#include <strings.h>

static struct sw_bytes keep(uint8_t **at, struct sw_bytes bytes)
{
    struct sw_bytes kept = {*at, bytes.size};
    if (bytes.size > 0) {
        memcpy(*at, bytes.data, bytes.size);
    }
    *at += bytes.size;
    return kept;
}

struct sw_client *sw_client_new(
    struct sw_account *account,
    struct sw_bytes address,
    const struct sw_client_pair *pairs,
    uint32_t pairs_count
)
{
    struct sw_client *client;
    size_t size = sizeof(*client) + pairs_count * sizeof(client->pairs[0]) + address.size;
    for (uint32_t i = 0; i < pairs_count; i++) {
        size += pairs[i].name.size + pairs[i].value.size;
    }
    client = sw_alloc(size);
    if (client == NULL) {
        return NULL;
    }
    uint8_t *at = (uint8_t *)&client->pairs[pairs_count];
    client->refs_count = 1;
    client->pairs_count = pairs_count;
    client->account = account;
    client->charged_bytes = size;
    client->address = keep(&at, address);
    for (uint32_t i = 0; i < pairs_count; i++) {
        client->pairs[i].name = keep(&at, pairs[i].name);
        client->pairs[i].value = keep(&at, pairs[i].value);
    }
    sw_account_charge(account, (int64_t)size);
    return client;
}

void sw_client_free_internal(struct sw_client *client)
{
    sw_account_charge(client->account, -(int64_t)client->charged_bytes);
    sw_free(client);
}

bool sw_client_next(
    const struct sw_client *client,
    struct sw_bytes name,
    uint32_t *at,
    struct sw_bytes *ret_value
)
{
    while (client != NULL && *at < client->pairs_count) {
        const struct sw_client_pair *pair = &client->pairs[(*at)++];
        if (pair->name.size == name.size
            && strncasecmp((const char *)pair->name.data, (const char *)name.data, name.size)
                   == 0) {
            *ret_value = pair->value;
            return true;
        }
    }
    return false;
}
