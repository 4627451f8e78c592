#include "dataplane/otlp/metric.h"

bool sw_metric_view_fill(struct sw_metric_view *view, struct sw_bytes metric)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    *view = (struct sw_metric_view){.type = SW_METRIC_EMPTY};
    sw_pb_reader_init(&reader, metric);
    while (sw_pb_next(&reader, &field)) {
        enum sw_metric_kind type = sw_metric_type_of_tag(field.tag);
        if (type != SW_METRIC_EMPTY) {
            view->type = type;
            view->data = field;
        } else if (field.tag == SW_PB_TAG(1, SW_PB_LEN)) {
            view->name = field.bytes;
        } else if (field.tag == SW_PB_TAG(2, SW_PB_LEN)) {
            view->description = field.bytes;
        } else if (field.tag == SW_PB_TAG(3, SW_PB_LEN)) {
            view->unit = field.bytes;
        }
    }
    return reader.error == SW_PB_OK;
}

static const uint8_t no_id[SW_TRACE_ID_BYTES];

/* @return false when it has a wrong length */
static bool read_id(struct sw_bytes bytes, size_t size, const uint8_t **id)
{
    *id = bytes.size == size ? bytes.data : no_id;
    return bytes.size == size || bytes.size == 0;
}

static bool read_log_field(struct sw_log_view *view, const struct sw_pb_field *field)
{
    switch (field->tag) {
    case SW_PB_TAG(1, SW_PB_I64):
        view->time_ns = field->number;
        return true;
    case SW_PB_TAG(2, SW_PB_VARINT):
        view->severity = (int32_t)field->number;
        return true;
    case SW_PB_TAG(3, SW_PB_LEN):
        view->severity_text = field->bytes;
        return true;
    case SW_LOG_TAG_BODY:
        view->body = view->body_fragments++ == 0 ? field->bytes : view->body;
        return true;
    case SW_PB_TAG(8, SW_PB_I32):
        view->flags = (uint32_t)field->number;
        return true;
    case SW_PB_TAG(9, SW_PB_LEN):
        return read_id(field->bytes, SW_TRACE_ID_BYTES, &view->trace_id);
    case SW_PB_TAG(10, SW_PB_LEN):
        return read_id(field->bytes, SW_SPAN_ID_BYTES, &view->span_id);
    case SW_PB_TAG(11, SW_PB_I64):
        view->observed_ns = field->number;
        return true;
    case SW_PB_TAG(12, SW_PB_LEN):
        view->event_name = field->bytes;
        return true;
    default:
        return true;
    }
}

bool sw_log_view_fill(struct sw_log_view *view, struct sw_bytes record)
{
    struct sw_pb_reader reader;
    struct sw_pb_field field;
    *view = (struct sw_log_view){.trace_id = no_id, .span_id = no_id};
    sw_pb_reader_init(&reader, record);
    while (sw_pb_next(&reader, &field)) {
        if (!read_log_field(view, &field)) {
            return false;
        }
    }
    return reader.error == SW_PB_OK;
}
