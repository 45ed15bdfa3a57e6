/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Runs a fuzz target without libFuzzer and prints TAP: first every seed, then mutations of them for
 * FUZZ_SECONDS (1). What is compiled with -fsanitize-coverage=trace-pc reports every basic block
 * here; an input that reaches something new joins the seeds. Two runs from the same FUZZ_SEED (1)
 * do the same, up to where the time ends them. With files as arguments, these alone are run.
 */
#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

/* Seconds for one input. */
#define HANG 20

/* Bytes beyond what is mapped at the start that no input of this size warrants. */
#define MEMORY ((guint64) 1 << 30)

#define MAP_SIZE 65536

static guint8 map[MAP_SIZE];
static guint8 seen[MAP_SIZE];
static guint32 last_block;
static FuzzInput current;
static char *crash_path;

/* The sanitizers' own, where one is linked in. */
extern void __sanitizer_set_death_callback (void (*callback) (void)) __attribute__((weak));
void        __sanitizer_cov_trace_pc       (void);

/* Called at every basic block of what is instrumented: counts its edge from the block before. */
void
__sanitizer_cov_trace_pc (void)
{
  /* The difference does not depend on where the program was loaded. */
  guintptr block = (guintptr) __builtin_return_address (0) - (guintptr) map;
  guint32 place = (guint32) block * 0x9e3779b1u >> 16;

  map[place ^ last_block]++;
  last_block = place >> 1;
}

static void
write_crash (void)
{
  FILE *file = fopen (crash_path, "wb");

  if (file == NULL)
    return;
  fwrite (current.bytes, 1, current.length, file);
  fclose (file);
  fprintf (stderr, "# the input is in %s\n", crash_path);
}

static void
on_signal (int number)
{
  printf ("Bail out! signal %d%s\n", number, number == SIGALRM ? ", no end" : "");
  fflush (stdout);
  write_crash ();
  signal (number, SIG_DFL);
  raise (number);
}

static gboolean
is_sanitized (void)
{
  return __sanitizer_set_death_callback != NULL;
}

/* A size that the input does not warrant ends in g_malloc's abort, and so in write_crash(). */
static void
limit_memory (void)
{
  g_autofree char *statm = NULL;
  guint64 pages = 0;
  struct rlimit limit;

  if (is_sanitized () || !g_file_get_contents ("/proc/self/statm", &statm, NULL, NULL))
    return;
  pages = g_ascii_strtoull (statm, NULL, 10);
  limit.rlim_cur = pages * (guint64) sysconf (_SC_PAGESIZE) + MEMORY;
  limit.rlim_max = limit.rlim_cur;
  setrlimit (RLIMIT_AS, &limit);
}

static void
guard (const char *name)
{
  static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGALRM };

  crash_path = g_strdup_printf ("%s/crash-%s", g_get_tmp_dir (), name);
  if (is_sanitized ())
    {
      __sanitizer_set_death_callback (write_crash);
      signal (SIGALRM, on_signal);
    }
  for (gsize i = 0; !is_sanitized () && i < G_N_ELEMENTS (signals); i++)
    signal (signals[i], on_signal);
}

/* Runs one input; returns whether it reached an edge, or a number of times of one, never seen. */
static gboolean
run_input (const guint8 *bytes,
           gsize         length)
{
  g_autofree guint8 *copy = g_memdup2 (bytes, MAX (length, 1));
  gboolean found = FALSE;

  current = (FuzzInput) { copy, length };
  memset (map, 0, sizeof map);
  last_block = 0;
  alarm (HANG);
  LLVMFuzzerTestOneInput (copy, length);
  alarm (0);
  current = (FuzzInput) { NULL, 0 };

  for (gsize i = 0; i < MAP_SIZE; i += 8)
    {
      guint64 eight;

      memcpy (&eight, map + i, 8);
      for (gsize j = i; eight != 0 && j < i + 8; j++)
        {
          guint8 bucket = map[j] == 0 ? 0 : map[j] > 127 ? 128 : map[j] > 31 ? 64
                          : map[j] > 15 ? 32 : map[j] > 7 ? 16 : map[j] > 3 ? 8
                          : (guint8) (1u << (map[j] - 1));

          found |= (bucket & ~seen[j]) != 0;
          seen[j] |= bucket;
        }
    }

  return found;
}

static int
compare_names (gconstpointer a,
               gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static GPtrArray *
list_seeds (const char *folder)
{
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr(GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (paths, g_build_filename (folder, name, NULL));
  g_ptr_array_sort (paths, compare_names);

  return paths;
}

static gboolean
run_file (const char *path,
          GPtrArray  *corpus)
{
  g_autofree char *bytes = NULL;
  gsize length = 0;

  if (!g_file_get_contents (path, &bytes, &length, NULL))
    return FALSE;
  run_input ((const guint8 *) bytes, length);
  if (corpus != NULL)
    g_ptr_array_add (corpus, g_bytes_new (bytes, length));

  return TRUE;
}

static double
get_seconds (void)
{
  const char *text = g_getenv ("FUZZ_SECONDS");

  return text != NULL ? g_ascii_strtod (text, NULL) : 1.0;
}

static guint64
run_mutations (GPtrArray *corpus)
{
  const char *text = g_getenv ("FUZZ_SEED");
  g_autoptr(FuzzMutator) mutator = fuzz_mutator_new (text != NULL ? atoi (text) : 1);
  gint64 end = g_get_monotonic_time () + (gint64) (get_seconds () * G_USEC_PER_SEC);
  guint64 n_runs = 0;

  do
    {
      g_autoptr(GByteArray) input = fuzz_mutator_make (mutator, corpus);

      if (run_input (input->data, input->len))
        g_ptr_array_add (corpus, g_bytes_new (input->data, input->len));
      n_runs++;
    }
  while (g_get_monotonic_time () < end);

  return n_runs;
}

static gsize
count_edges (void)
{
  gsize n = 0;

  for (gsize i = 0; i < MAP_SIZE; i++)
    n += seen[i] != 0;

  return n;
}

int
main (int   argc,
      char *argv[])
{
  g_autofree char *name = g_path_get_basename (argv[0]);
  g_autoptr(GPtrArray) corpus = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr(GPtrArray) seeds = NULL;
  guint n_seeds = 0;
  guint64 n_runs;

  if (argc < 2)
    {
      fprintf (stderr, "Usage: %s SEEDS | FILE...\n", name);
      return 2;
    }
  guard (name);
  limit_memory ();
  for (int i = 1; i < argc && !g_file_test (argv[1], G_FILE_TEST_IS_DIR); i++)
    if (!run_file (argv[i], NULL))
      return 1;
  if (!g_file_test (argv[1], G_FILE_TEST_IS_DIR))
    return 0;

  seeds = list_seeds (argv[1]);
  printf ("1..2\n");
  for (guint i = 0; i < seeds->len; i++)
    n_seeds += run_file (seeds->pdata[i], corpus);
  printf ("%s 1 - %u seeds, %" G_GSIZE_FORMAT " edges\n",
          n_seeds > 0 && n_seeds == seeds->len ? "ok" : "not ok", n_seeds, count_edges ());
  fflush (stdout);
  if (n_seeds == 0)
    return 1;

  n_runs = run_mutations (corpus);
  printf ("ok 2 - %" G_GUINT64_FORMAT " mutations, %" G_GSIZE_FORMAT " edges, %u inputs kept\n",
          n_runs, count_edges (), corpus->len - n_seeds);

  return 0;
}
