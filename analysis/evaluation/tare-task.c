/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Multiple-choice questions, one JSON object a line. The forms of HellaSwag (ctx, endings, label),
 * ARC (question, choices with text and label, answerKey) and MMLU (question, choices, answer) are
 * known, and a plain one: context, choices, answer.
 */
#include "analysis/evaluation/tare-task.h"

#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/tare-error.h"

/* More is no multiple choice, and each costs a forward pass. */
#define MAXIMUM_CHOICES 64

struct _TareTasks
{
  gatomicrefcount  references;
  GPtrArray       *tasks;
};

/* A line while it is read. */
typedef struct
{
  JsonObject *object;
  JsonObject *question;
  const char *path;
  guint       line;
  GPtrArray  *choices;
  GPtrArray  *labels;
} Line;

static void
task_free (gpointer data)
{
  TareTask *task = data;

  g_free (task->context);
  g_strfreev (task->choices);
  g_free (task);
}

static gboolean
fail (const Line  *line,
      const char  *what,
      GError     **error)
{
  g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: line %u: %s", line->path, line->line,
               what);

  return FALSE;
}

/* The first of some members that is a text. */
static const char *
find_text (JsonObject        *object,
           const char *const *names)
{
  const char *text = NULL;

  for (; text == NULL && *names != NULL; names++)
    text = tare_json_get_string (object, *names);

  return text;
}

/* HellaSwag's texts carry the marks of the page that they come from; what lm-evaluation-harness
 * does: a title ends a sentence, other brackets go. */
static char *
clean_ending (const char *text)
{
  g_auto(GStrv) parts = g_strsplit (text, " [title]", -1);
  g_autofree char *joined = g_strjoinv (". ", parts);
  g_autoptr(GString) clean = g_string_new (NULL);
  gboolean inside = FALSE;

  for (const char *c = joined; *c != '\0'; c++)
    {
      inside = inside || (*c == '[' && strchr (c, ']') != NULL);
      if (!inside && !(*c == ' ' && clean->len > 0 && clean->str[clean->len - 1] == ' '))
        g_string_append_c (clean, *c);
      inside = inside && *c != ']';
    }

  return g_strdup (g_strstrip (clean->str));
}

static char *
make_context (const Line *line)
{
  static const char *const plain[] = { "context", "prompt", "query", "text", NULL };
  static const char *const asked[] = { "question", "stem", NULL };
  const char *text = find_text (line->object, plain);
  const char *activity = tare_json_get_string (line->object, "activity_label");
  const char *ending = tare_json_get_string (line->object, "ctx");

  if (text != NULL)
    return g_strdup (text);
  if (ending != NULL)
    {
      g_autofree char *clean = clean_ending (ending);

      return activity != NULL ? g_strdup_printf ("%s: %s", activity, clean)
                              : g_steal_pointer (&clean);
    }
  text = find_text (line->question, asked);

  return text != NULL ? g_strdup_printf ("Question: %s\nAnswer:", text) : NULL;
}

static void
add_choice (Line       *line,
            JsonNode   *node,
            const char *label)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  const char *text = object != NULL ? tare_json_get_string (object, "text") : NULL;

  if (object != NULL)
    label = tare_json_get_string (object, "label");
  else if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
    text = json_node_get_string (node);
  g_ptr_array_add (line->choices, (gpointer) text);
  g_ptr_array_add (line->labels, (gpointer) label);
}

/* A list of texts, a list of objects with text and label, or an object of two lists. */
static gboolean
read_choices (Line    *line,
              GError **error)
{
  static const char *const names[] = { "choices", "endings", "options" };
  JsonArray *texts = NULL;
  JsonArray *labels = NULL;

  for (gsize i = 0; texts == NULL && i < G_N_ELEMENTS (names); i++)
    {
      JsonObject *both = tare_json_get_object (line->question, names[i]);

      texts = tare_json_get_array (both != NULL ? both : line->question,
                                   both != NULL ? "text" : names[i]);
      labels = both != NULL ? tare_json_get_array (both, "label") : NULL;
    }
  if (texts == NULL)
    return fail (line, "there are no choices", error);
  if (json_array_get_length (texts) < 2 || json_array_get_length (texts) > MAXIMUM_CHOICES)
    return fail (line, "there must be 2 to 64 choices", error);

  for (guint i = 0; i < json_array_get_length (texts); i++)
    {
      JsonNode *label = labels != NULL && i < json_array_get_length (labels)
                        ? json_array_get_element (labels, i) : NULL;
      gboolean text = label != NULL && JSON_NODE_HOLDS_VALUE (label)
                      && json_node_get_value_type (label) == G_TYPE_STRING;

      add_choice (line, json_array_get_element (texts, i),
                  text ? json_node_get_string (label) : NULL);
      if (g_ptr_array_index (line->choices, i) == NULL
          || *(const char *) g_ptr_array_index (line->choices, i) == '\0')
        return fail (line, "a choice is no text", error);
    }

  return TRUE;
}

/* An index, a label, a letter, or the text of a choice. */
static gboolean
find_answer (const Line *line,
             const char *text,
             guint      *answer)
{
  guint n = line->choices->len;
  gint64 value = -1;

  for (guint i = 0; i < n; i++)
    if (g_strcmp0 (g_ptr_array_index (line->labels, i), text) == 0)
      {
        *answer = i;
        return TRUE;
      }
  if (g_ascii_isalpha (text[0]) && text[1] == '\0')
    value = g_ascii_toupper (text[0]) - 'A';
  else if (!g_ascii_string_to_signed (text, 10, 0, n, &value, NULL))
    value = -1;
  for (guint i = 0; value < 0 && i < n; i++)
    if (strcmp (g_ptr_array_index (line->choices, i), text) == 0)
      value = i;
  *answer = (guint) value;

  return value >= 0 && value < n;
}

static gboolean
read_answer (Line    *line,
             guint   *answer,
             GError **error)
{
  static const char *const names[] = {
    "answer", "label", "answerKey", "gold", "answer_index", "correct", "target",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      JsonNode *node = json_object_get_member (line->object, names[i]);
      g_autofree char *text = NULL;

      if (node == NULL || !JSON_NODE_HOLDS_VALUE (node))
        continue;
      if (json_node_get_value_type (node) == G_TYPE_INT64)
        text = g_strdup_printf ("%" G_GINT64_FORMAT, json_node_get_int (node));
      else if (json_node_get_value_type (node) == G_TYPE_STRING)
        text = g_strdup (json_node_get_string (node));
      if (text != NULL && find_answer (line, text, answer))
        return TRUE;
      return fail (line, "the answer is none of the choices", error);
    }

  return fail (line, "there is no answer", error);
}

/* A space parts a choice from what stands before it, unless there is one. */
static char *
make_choice (const char *context,
             const char *text,
             gboolean    cleans)
{
  g_autofree char *clean = cleans ? clean_ending (text) : g_strdup (text);
  gsize n = strlen (context);
  gboolean parted = n == 0 || g_ascii_isspace (context[n - 1]) || g_ascii_isspace (clean[0]);

  return g_strconcat (parted ? "" : " ", clean, NULL);
}

static TareTask *
read_object (Line    *line,
             GError **error)
{
  g_autofree char *context = NULL;
  JsonObject *question = tare_json_get_object (line->object, "question");
  gboolean cleans = json_object_has_member (line->object, "ctx");
  guint answer = 0;
  TareTask *task;

  line->question = question != NULL ? question : line->object;
  context = make_context (line);
  if (context == NULL)
    {
      fail (line, "there is no context", error);
      return NULL;
    }
  if (!read_choices (line, error) || !read_answer (line, &answer, error))
    return NULL;

  task = g_new0 (TareTask, 1);
  task->n_choices = line->choices->len;
  task->choices = g_new0 (char *, task->n_choices + 1);
  for (guint i = 0; i < task->n_choices; i++)
    task->choices[i] = make_choice (context, g_ptr_array_index (line->choices, i), cleans);
  task->context = g_steal_pointer (&context);
  task->answer = answer;
  task->line = line->line;

  return task;
}

static TareTask *
read_line (const char  *text,
           gsize        length,
           const char  *path,
           guint        number,
           GError     **error)
{
  g_autofree char *where = g_strdup_printf ("%s: line %u", path, number);
  g_autoptr(JsonNode) node = tare_json_parse (text, length, where, error);
  g_autoptr(GPtrArray) choices = g_ptr_array_new ();
  g_autoptr(GPtrArray) labels = g_ptr_array_new ();
  Line line = { NULL, NULL, path, number, choices, labels };

  if (node == NULL)
    return NULL;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    {
      fail (&line, "not an object", error);
      return NULL;
    }
  line.object = json_node_get_object (node);

  return read_object (&line, error);
}

/**
 * tare_tasks_parse:
 * @text: one JSON object a line; empty lines are passed over
 * @length: its bytes
 * @path: the file, for messages
 * @error: return location
 *
 * Returns: (transfer full): the questions, or %NULL with %TARE_ERROR_INVALID that names the line
 */
TareTasks *
tare_tasks_parse (const char  *text,
                  gsize        length,
                  const char  *path,
                  GError     **error)
{
  g_autoptr(TareTasks) self = g_new0 (TareTasks, 1);
  guint number = 0;

  g_atomic_ref_count_init (&self->references);
  self->tasks = g_ptr_array_new_with_free_func (task_free);
  while (length > 0)
    {
      const char *end = memchr (text, '\n', length);
      gsize n = end != NULL ? (gsize) (end - text) : length;
      gsize blank = 0;
      TareTask *task;

      number++;
      while (blank < n && g_ascii_isspace (text[blank]))
        blank++;
      if (blank < n)
        {
          task = read_line (text, n, path, number, error);
          if (task == NULL)
            return NULL;
          g_ptr_array_add (self->tasks, task);
        }
      text += n + (end != NULL);
      length -= n + (end != NULL);
    }
  if (self->tasks->len == 0)
    {
      g_set_error (error, TARE_ERROR, TARE_ERROR_INVALID, "%s: no questions", path);
      return NULL;
    }

  return g_steal_pointer (&self);
}

/**
 * tare_tasks_load:
 * @path: a JSONL file
 * @error: return location
 *
 * Returns: (transfer full): its questions, or %NULL with an error as tare_tasks_parse() has them
 */
TareTasks *
tare_tasks_load (const char  *path,
                 GError     **error)
{
  g_autofree char *text = NULL;
  gsize length = 0;

  g_return_val_if_fail (path != NULL, NULL);

  if (!g_file_get_contents (path, &text, &length, error))
    return NULL;

  return tare_tasks_parse (text, length, path, error);
}

/**
 * tare_tasks_ref:
 * @self: questions
 *
 * Returns: (transfer full): @self
 */
TareTasks *
tare_tasks_ref (TareTasks *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->references);

  return self;
}

/**
 * tare_tasks_unref:
 * @self: (transfer full): questions
 */
void
tare_tasks_unref (TareTasks *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_ref_count_dec (&self->references))
    return;

  g_ptr_array_unref (self->tasks);
  g_free (self);
}

/**
 * tare_tasks_get_n:
 * @self: questions
 *
 * Returns: how many
 */
gsize
tare_tasks_get_n (const TareTasks *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->tasks->len;
}

/**
 * tare_tasks_get:
 * @self: questions
 * @index: below tare_tasks_get_n()
 *
 * Returns: (transfer none): one of them
 */
const TareTask *
tare_tasks_get (const TareTasks *self,
                gsize            index)
{
  g_return_val_if_fail (self != NULL && index < self->tasks->len, NULL);

  return g_ptr_array_index (self->tasks, index);
}
