/* data.yaml: the class names, by libyaml. */
#include "base/error.h"
#include "pts/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/reading.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_YAML ((size_t)1 << 20)

typedef struct reader {
    pts_dataset *set;
    const char *path;
    yaml_document_t document;
    char **roboflow;
    pts_error *err;
} reader;

static size_t line_of(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

static pts_status fail_at(const reader *r, const yaml_node_t *node, const char *expected)
{
    return pts_fail(r->err, PTS_ERR_FORMAT, "%s: line %zu: expected %s", r->path, line_of(node),
                    expected);
}

/* The value of a key of a map; NULL where it has none. */
static yaml_node_t *find(reader *r, const yaml_node_t *map, const char *key)
{
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        yaml_node_t *node = yaml_document_get_node(&r->document, p->key);
        if (node && node->type == YAML_SCALAR_NODE &&
            strcmp((const char *)node->data.scalar.value, key) == 0)
            return yaml_document_get_node(&r->document, p->value);
    }
    return NULL;
}

/* A whole number from 0 to limit, or -1. */
static long scalar_number(const yaml_node_t *node, long limit)
{
    if (!node || node->type != YAML_SCALAR_NODE)
        return -1;
    const char *text = (const char *)node->data.scalar.value;
    size_t size = strlen(text);
    if (size == 0 || size > 9 || text[strspn(text, "0123456789")])
        return -1;
    long value = atol(text);
    return value <= limit ? value : -1;
}

static bool is_plain(const yaml_node_t *node)
{
    for (size_t i = 0; i < node->data.scalar.length; i++) {
        if (node->data.scalar.value[i] < ' ' || node->data.scalar.value[i] == 127)
            return false;
    }
    return true;
}

static pts_status read_name(reader *r, long class_id, const yaml_node_t *node)
{
    if (!node || node->type != YAML_SCALAR_NODE)
        return pts_fail(r->err, PTS_ERR_FORMAT, "%s: names: class %ld: expected a text", r->path,
                        class_id);
    size_t size = node->data.scalar.length;
    if (size == 0 || size > DATASET_MAX_NAME)
        return pts_fail(r->err, PTS_ERR_FORMAT,
                        "%s: line %zu: expected a class name of 1 to %d bytes, got %zu", r->path,
                        line_of(node), DATASET_MAX_NAME, size);
    if (!is_plain(node))
        return fail_at(r, node, "a class name on one line, got a control character");
    if (r->set->class_names[class_id])
        return pts_fail(r->err, PTS_ERR_FORMAT,
                        "%s: line %zu: expected class %ld once, got it twice", r->path,
                        line_of(node), class_id);
    r->set->class_names[class_id] = strdup((const char *)node->data.scalar.value);
    return r->set->class_names[class_id] ? PTS_OK : pts_fail_memory(r->err, size + 1);
}

static pts_status allocate_names(reader *r, const yaml_node_t *names, ptrdiff_t count)
{
    if (count < 1 || count > DATASET_MAX_CLASSES)
        return pts_fail(r->err, PTS_ERR_FORMAT,
                        "%s: line %zu: names: expected 1 to %d classes, got %td", r->path,
                        line_of(names), DATASET_MAX_CLASSES, count);
    return pts_dataset_name_classes(r->set, (size_t)count, r->err);
}

static pts_status read_list(reader *r, const yaml_node_t *names)
{
    yaml_node_item_t *items = names->data.sequence.items.start;
    PTS_TRY(allocate_names(r, names, names->data.sequence.items.top - items));
    for (int i = 0; i < r->set->classes; i++)
        PTS_TRY(read_name(r, i, yaml_document_get_node(&r->document, items[i])));
    return PTS_OK;
}

static pts_status read_map(reader *r, const yaml_node_t *names)
{
    yaml_node_pair_t *pairs = names->data.mapping.pairs.start;
    PTS_TRY(allocate_names(r, names, names->data.mapping.pairs.top - pairs));
    for (int i = 0; i < r->set->classes; i++) {
        yaml_node_t *key = yaml_document_get_node(&r->document, pairs[i].key);
        long class_id = scalar_number(key, r->set->classes - 1);
        if (class_id < 0)
            return pts_fail(r->err, PTS_ERR_FORMAT,
                            "%s: line %zu: names: expected keys 0 to %d, each once", r->path,
                            key ? line_of(key) : line_of(names), r->set->classes - 1);
        PTS_TRY(read_name(r, class_id, yaml_document_get_node(&r->document, pairs[i].value)));
    }
    return PTS_OK;
}

static pts_status check_nc(reader *r, const yaml_node_t *nc)
{
    if (!nc)
        return PTS_OK;
    if (scalar_number(nc, DATASET_MAX_CLASSES) == r->set->classes)
        return PTS_OK;
    return pts_fail(r->err, PTS_ERR_FORMAT,
                    "%s: line %zu: nc: expected %d, the number of names, got '%.40s'", r->path,
                    line_of(nc), r->set->classes,
                    nc->type == YAML_SCALAR_NODE ? (const char *)nc->data.scalar.value : "a list");
}

/* WORKSPACE/PROJECT/VERSION, as far as the map says. */
static pts_status read_roboflow(reader *r, const yaml_node_t *map)
{
    static const char *const keys[] = {"workspace", "project", "version"};
    const char *parts[3] = {"?", "?", "?"};
    if (!map || map->type != YAML_MAPPING_NODE)
        return PTS_OK;
    for (size_t i = 0; i < 3; i++) {
        const yaml_node_t *value = find(r, map, keys[i]);
        if (value && value->type == YAML_SCALAR_NODE && is_plain(value))
            parts[i] = (const char *)value->data.scalar.value;
    }
    return pts_text(r->roboflow, r->err, "%.100s/%.100s/%.100s", parts[0], parts[1], parts[2]);
}

static pts_status read_document(reader *r)
{
    yaml_node_t *root = yaml_document_get_root_node(&r->document);
    if (!root || root->type != YAML_MAPPING_NODE)
        return pts_fail(r->err, PTS_ERR_FORMAT, "%s: expected a map with a key 'names'", r->path);
    yaml_node_t *names = find(r, root, "names");
    if (!names)
        return pts_fail(r->err, PTS_ERR_FORMAT, "%s: expected a key 'names', got none", r->path);
    if (names->type == YAML_SEQUENCE_NODE)
        PTS_TRY(read_list(r, names));
    else if (names->type == YAML_MAPPING_NODE)
        PTS_TRY(read_map(r, names));
    else
        return fail_at(r, names, "names as a list or a map, got a text");
    PTS_TRY(pts_dataset_check_names(r->set, r->err));
    PTS_TRY(check_nc(r, find(r, root, "nc")));
    return read_roboflow(r, find(r, root, "roboflow"));
}

static pts_status parse(reader *r, const char *text, size_t size)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return pts_fail_memory(r->err, sizeof parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    pts_status status = PTS_OK;
    if (yaml_parser_load(&parser, &r->document)) {
        status = read_document(r);
        yaml_document_delete(&r->document);
    } else {
        status =
            pts_fail(r->err, PTS_ERR_FORMAT, "%s: line %zu: expected YAML: %s", r->path,
                     parser.problem_mark.line + 1, parser.problem ? parser.problem : "no memory");
    }
    yaml_parser_delete(&parser);
    return status;
}

pts_status pts_dataset_read_yaml(pts_dataset *set, const char *path, char **roboflow,
                                 pts_error *err)
{
    char *text;
    size_t size;
    *roboflow = NULL;
    PTS_TRY(pts_read_file(path, MAX_YAML, &text, &size, err));
    reader r = {.set = set, .path = path, .roboflow = roboflow, .err = err};
    pts_status status = parse(&r, text, size);
    free(text);
    return status;
}
