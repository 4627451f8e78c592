/* One address of a channel: a connection, or the wait before the next attempt. */
#include "dataplane/base/clock.h"
#include "dataplane/base/mem.h"
#include "dataplane/send/channel_internal.h"

#include <stdio.h>

#define BACK_OFF_FIRST_NS (1.0 * SW_NS_PER_S)
// A connection that did not live this long did not prove that the next one will.
#define PROVEN_NS SW_NS_PER_S

static void on_back_off(struct sw_timer *timer, uint64_t now_ns)
{
    sw_peer_connect(SW_CONTAINER_OF(timer, struct peer, back_off));
}

int sw_peer_new(struct channel *channel, const struct sw_addr *addr, struct peer **ret_peer)
{
    struct peer *peer = sw_zalloc(sizeof(*peer));
    if (peer == NULL) {
        return SW_E_NOMEM;
    }
    peer->channel = channel;
    peer->addr = *addr;
    peer->delay_ns = BACK_OFF_FIRST_NS;
    sw_timer_init(&peer->back_off, on_back_off);
    *ret_peer = peer;
    return SW_OK;
}

static void wait_and_connect(struct peer *peer)
{
    struct sw_core *core = peer->channel->push.core;
    uint64_t delay_ns = sw_channel_back_off_ns(peer->channel, &peer->delay_ns);
    sw_timer_set(&core->timers, &peer->back_off, core->now_ns + delay_ns);
}

// pick_first goes on to the next address at once, and waits only when all of them failed.
static void connect_next(struct peer *peer)
{
    struct channel *channel = peer->channel;
    if (!channel->conf.pick_first || channel->peers_count < 2) {
        wait_and_connect(peer);
        return;
    }
    channel->next_peer = (channel->next_peer + 1) % channel->peers_count;
    struct peer *next = channel->peers[channel->next_peer];
    if (next->failing) {
        wait_and_connect(next);
    } else {
        sw_peer_connect(next);
    }
}

void sw_peer_connect(struct peer *peer)
{
    struct channel *channel = peer->channel;
    if (peer->connection != NULL || peer->gone || channel->closed) {
        return;
    }
    sw_timer_cancel(&channel->push.core->timers, &peer->back_off);
    int err = sw_connection_new(peer);
    if (err != SW_OK) {
        sw_peer_lost(peer, false, 0, sw_err_text(err));
    }
}

void sw_peer_ready(struct peer *peer)
{
    peer->failing = false;
    sw_channel_again(peer->channel);
}

void sw_peer_lost(struct peer *peer, bool was_ready, uint64_t lived_ns, const char *text)
{
    struct channel *channel = peer->channel;
    peer->connection = NULL;
    if (channel->closed || peer->gone) {
        return;
    }
    sw_channel_ask_again(channel);
    if (was_ready) { // as in grpc-go, the wait grows only while no handshake succeeds
        peer->delay_ns = BACK_OFF_FIRST_NS;
    }
    if (was_ready && lived_ns >= PROVEN_NS) {
        sw_peer_connect(peer);
        return;
    }
    peer->failing = true;
    snprintf(channel->last_error, sizeof(channel->last_error), "%s", text);
    connect_next(peer);
    sw_channel_failed(channel);
}

void sw_peer_goaway(struct peer *peer, uint64_t lived_ns)
{
    peer->connection = NULL;
    if (peer->channel->closed || peer->gone) {
        return;
    }
    peer->delay_ns = BACK_OFF_FIRST_NS;
    if (lived_ns >= PROVEN_NS) {
        sw_peer_connect(peer);
    } else {
        wait_and_connect(peer);
    }
}

void sw_peer_free(struct peer *peer)
{
    peer->gone = true;
    sw_timer_cancel(&peer->channel->push.core->timers, &peer->back_off);
    if (peer->connection != NULL) {
        sw_connection_close(peer->connection, SW_E_CLOSED);
    }
    sw_free(peer);
}

void sw_peer_retire(struct peer *peer)
{
    struct connection *connection = peer->connection;
    peer->gone = true;
    if (connection != NULL && connection->ready) {
        sw_connection_leave(connection);
        sw_connection_flush(connection);
    }
    sw_peer_free(peer);
}
