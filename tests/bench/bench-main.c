/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Prints one JSON object of speeds: tare-bench [--quick] [NAME[=PATTERN,...]...]
 *
 * Patterns narrow what one bench runs over to the names that match any of them, with * and ? as in
 * a shell: tare-bench codec='nvfp4*,q4_k' is over these formats alone.
 *
 * Every figure that matters is a ratio against a limit (memcpy, bare GEMM) that was measured
 * beside it, since the machines differ and are noisy. Each time is the least of several runs: the
 * one that was disturbed least.
 */
#include "tests/bench/bench.h"

#include <math.h>
#include <string.h>

static const struct
{
  const char *name;
  BenchFunc   func;
} benches[] = {
  { "calibration", bench_calibration },
  { "codec", bench_codec },
  { "evaluate", bench_evaluate },
  { "forward", bench_forward },
  { "pyramid", bench_pyramid },
  { "gradient", bench_gradient },
  { "statistics", bench_statistics },
  { "tokenizer", bench_tokenizer },
  { NULL, NULL }
};

/* Of the bench that runs; %NULL where it is not narrowed. */
static char **patterns;

/**
 * bench_wants:
 * @name: of one of the things that a bench runs over, such as a format's id
 *
 * Returns: whether the command line asks for it
 */
gboolean
bench_wants (const char *name)
{
  gboolean wanted = patterns == NULL;

  for (gsize i = 0; !wanted && patterns[i] != NULL; i++)
    wanted = g_pattern_match_simple (patterns[i], name);

  return wanted;
}

/**
 * bench_time:
 * @body: what to time
 * @data: closure
 * @quick: run it once only
 *
 * Returns: the least seconds of one call, over at least 5 calls and half a second
 */
double
bench_time (BenchBody body,
            gpointer  data,
            gboolean  quick)
{
  gint64 begin = g_get_monotonic_time ();
  double least = INFINITY;

  for (int i = 0; i == 0 || (!quick && (i < 5 || g_get_monotonic_time () - begin < 500000)); i++)
    {
      gint64 start = g_get_monotonic_time ();

      body (data);
      least = MIN (least, (double) (g_get_monotonic_time () - start) / 1e6);
    }

  return MAX (least, 1e-9);
}

typedef struct
{
  guint8 *to;
  guint8 *from;
  gsize   bytes;
} Copy;

static void
copy_once (gpointer data)
{
  Copy *copy = data;

  memcpy (copy->to, copy->from, copy->bytes);
  /* Keeps the compiler from dropping a copy that nobody reads. */
  __asm__ volatile ("" : : "r" (copy->to) : "memory");
}

/**
 * bench_memcpy_seconds:
 * @bytes: how much
 * @quick: once only
 *
 * Returns: seconds that one core takes to copy @bytes
 */
double
bench_memcpy_seconds (gsize    bytes,
                      gboolean quick)
{
  g_autofree guint8 *to = g_malloc (bytes);
  g_autofree guint8 *from = g_malloc (bytes);
  Copy copy = { to, from, bytes };

  memset (from, 1, bytes);
  memset (to, 2, bytes);

  return bench_time (copy_once, &copy, quick);
}

void
bench_add_number (JsonBuilder *json,
                  const char  *name,
                  double       value)
{
  json_builder_set_member_name (json, name);
  json_builder_add_double_value (json, isfinite (value) ? value : 0.0);
}

/* Whether arguments, or that there are none, ask for a bench; its patterns are taken along. */
static gboolean
find_bench (GStrv        arguments,
            const char  *name,
            char      ***narrowed)
{
  gboolean found = arguments == NULL;

  *narrowed = NULL;
  for (gsize i = 0; !found && arguments[i] != NULL; i++)
    {
      g_auto(GStrv) parts = g_strsplit (arguments[i], "=", 2);

      found = g_strcmp0 (parts[0], name) == 0;
      if (found && parts[1] != NULL)
        *narrowed = g_strsplit (parts[1], ",", 0);
    }

  return found;
}

int
main (int    argc,
      char **argv)
{
  gboolean quick = FALSE;
  g_auto(GStrv) names = NULL;
  const GOptionEntry entries[] = {
    { "quick", 0, 0, G_OPTION_ARG_NONE, &quick, "Run everything once, for a smoke test", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &names, NULL,
      "NAME[=PATTERN,...]" },
    G_OPTION_ENTRY_NULL
  };
  g_autoptr(GOptionContext) context = g_option_context_new (NULL);
  g_autoptr(JsonBuilder) json = json_builder_new ();
  g_autoptr(JsonGenerator) generator = json_generator_new ();
  g_autoptr(JsonNode) root = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *text = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("tare-bench: %s\n", error->message);
      return 2;
    }

  json_builder_begin_object (json);
  for (gsize i = 0; benches[i].name != NULL; i++)
    {
      g_auto(GStrv) narrowed = NULL;

      if (!find_bench (names, benches[i].name, &narrowed))
        continue;

      patterns = narrowed;
      json_builder_set_member_name (json, benches[i].name);
      json_builder_begin_object (json);
      benches[i].func (json, quick);
      json_builder_end_object (json);
    }
  json_builder_end_object (json);

  root = json_builder_get_root (json);
  json_generator_set_root (generator, root);
  json_generator_set_pretty (generator, TRUE);
  text = json_generator_to_data (generator, NULL);
  g_print ("%s\n", text);

  return 0;
}
