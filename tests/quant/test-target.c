/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-target.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "quant/model/tare-gguf.h"
#include "quant/tare-error.h"
#include "tests/tare-test-open.h"
#include "tests/tare-test.h"

/* One format for all; NULL keeps everything. Without the search for ranges, which takes the most
 * time and which an export does not depend on. */
static TareRecipe *
make_recipe (const char *format)
{
  TareAssignment assignment = {
    .format = format != NULL ? tare_format_lookup (format) : NULL,
    .method = tare_method_lookup ("rtn"),
    .range = TARE_RANGE_MINIMUM_MAXIMUM,
  };
  g_autoptr(TareRecipe) none = tare_recipe_new ();

  return tare_recipe_with_rule (none, "*", &assignment);
}

static gboolean
write_gguf (TareModel           *model,
            TareRecipe          *recipe,
            const char          *path,
            GArray              *exported,
            const TareProgress  *progress,
            GError             **error)
{
  const TareTarget *target = tare_target_lookup ("gguf");
  g_autoptr(TareEngine) engine = tare_engine_new (model);

  return tare_target_write (target, engine, recipe, NULL, path, exported, progress, error);
}

static guint
count_files (const char *folder)
{
  g_autoptr(GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;

  return n;
}

/* A folder of one test's own. */
/* Every tensor of the file holds, bit for bit, what the engine previewed. */
static void
check_same_values (TareModel  *model,
                   TareRecipe *recipe,
                   TareModel  *written)
{
  const TareTarget *gguf = tare_target_lookup ("gguf");
  g_autoptr(TareEngine) engine = tare_engine_new (model);

  g_assert_cmpuint (tare_model_get_n_tensors (written), ==, tare_model_get_n_tensors (model));
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const TareTensor *other = tare_model_lookup (written, tensor->canonical);
      gsize bytes = tare_tensor_get_n_weights (tensor) * sizeof (float);
      TareAssignment assignment = tare_recipe_resolve (recipe, tensor);
      g_autofree float *x = g_malloc (bytes);
      g_autofree float *y = g_malloc (bytes);
      g_autoptr(GError) error = NULL;
      g_autoptr(TareQuantized) quantized = NULL;

      g_assert_nonnull (other);
      g_assert_true (other->format == tare_target_get_format (gguf, recipe, tensor));
      g_assert_cmpuint (tare_tensor_get_bytes (other), ==,
                        tare_target_get_bytes (gguf, recipe, tensor));
      quantized = tare_engine_quantize (engine, tensor, &assignment, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (tare_quantized_decode (quantized, tensor, x, &error));
      g_assert_true (tare_tensor_read (other, y, &error));
      g_assert_cmpmem (x, bytes, y, bytes);
    }
}

/* How many weights no format is for. */
static gsize
count_vectors (TareModel *model)
{
  gsize n = 0;

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);

      n += tare_tensor_is_weight (tensor) ? 0 : tare_tensor_get_n_weights (tensor);
    }

  return n;
}

static void
check_export (const char *format,
              gint64      file_type)
{
  g_autofree char *folder = tare_test_folder ("export");
  g_autofree char *path = g_build_filename (folder, "model.gguf", NULL);
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (format);
  g_autoptr(GArray) exported = g_array_new (FALSE, FALSE, sizeof (TareExported));
  g_autoptr(TareModel) written = NULL;
  g_autoptr(TareMetadata) metadata = NULL;
  g_autoptr(GError) error = NULL;
  TareRecipeSize size = tare_recipe_measure_size (recipe, model);
  gint64 value = 0;

  write_gguf (model, recipe, path, exported, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count_files (folder), ==, 1);
  g_assert_cmpuint (exported->len, ==, tare_model_get_n_tensors (model));

  written = tare_test_open_model (path);
  /* The norms in F32, of which the sample has two bytes each. */
  g_assert_cmpuint (tare_model_get_bytes (written), ==, size.bytes + count_vectors (model) * 2);
  g_assert_cmpuint (tare_model_get_n_weights (written), ==, size.weights);
  check_same_values (model, recipe, written);

  metadata = tare_model_dup_metadata (written, &error);
  g_assert_no_error (error);
  g_assert_true (tare_metadata_get_integer (metadata, "general.file_type", &value));
  g_assert_cmpint (value, ==, file_type);
  g_assert_true (tare_metadata_get_integer (metadata, "general.quantization_version", &value));
  g_assert_cmpint (value, ==, 2);
  g_assert_cmpint (g_remove (path), ==, 0);
}

static void
test_formats (void)
{
  check_export ("q4_k", 15);
  check_export ("q8_0", 7);
  check_export ("f16", 1);
  check_export (NULL, 32);
}

/* Returns: (transfer none): a tensor as the file has it */
static const TareTensor *
find_raw (GPtrArray  *tensors,
          const char *name)
{
  for (guint i = 0; i < tensors->len; i++)
    if (g_str_equal (((TareTensor *) g_ptr_array_index (tensors, i))->name, name))
      return g_ptr_array_index (tensors, i);

  return NULL;
}

static GPtrArray *
read_raw (const char *path)
{
  GPtrArray *tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) tare_tensor_free);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareFile) file = tare_file_open (path, &error);
  g_autoptr(TareMetadata) metadata = NULL;

  g_assert_true (tare_gguf_read (file, tensors, &metadata, &error));

  return tensors;
}

/* NVFP4 keeps a scale of the whole in a tensor of its own, which no model has; where llama.cpp has
 * no place for that the format becomes another. */
static void
test_scales (void)
{
  g_autofree char *path = tare_test_temporary ("nvfp4.gguf");
  g_autofree char *again = tare_test_temporary ("again.gguf");
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe ("nvfp4");
  g_autoptr(TareRecipe) none = tare_recipe_new ();
  g_autoptr(GError) error = NULL;
  g_autoptr(TarePlan) plan = tare_target_plan (tare_target_lookup ("gguf"), model, recipe, NULL,
                                               &error);
  g_autoptr(TareModel) written = NULL, copied = NULL;
  g_autoptr(GPtrArray) raw = NULL, same = NULL;
  const TareTensor *scale = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (plan->changes->len, ==, 1);
  g_assert_cmpstr (g_array_index (plan->changes, TareChange, 0).name, ==, "token_embd.weight");
  g_assert_cmpstr (g_array_index (plan->changes, TareChange, 0).to->id, ==, "mxfp4");
  write_gguf (model, recipe, path, NULL, NULL, &error);
  g_assert_no_error (error);
  written = tare_test_open_model (path);
  check_same_values (model, plan->recipe, written);
  g_assert_cmpuint (tare_model_get_bytes (written), ==, plan->bytes);

  raw = read_raw (path);
  g_assert_cmpuint (raw->len, >, tare_model_get_n_tensors (written));
  g_assert_cmpstr (find_raw (raw, "blk.2.attn_k.weight")->type_name, ==, "NVFP4");
  g_assert_null (find_raw (raw, "token_embd.scale"));
  scale = find_raw (raw, "blk.2.attn_k.scale");
  g_assert_cmpstr (scale->type_name, ==, "F32");
  g_assert_cmpuint (scale->n_dimensions, ==, 1);
  g_assert_cmpuint (scale->columns, ==, 1);
  g_assert_null (tare_model_lookup (written, "blk.2.attn_k.scale"));

  /* What is kept keeps its scale. */
  write_gguf (written, none, again, NULL, NULL, &error);
  g_assert_no_error (error);
  copied = tare_test_open_model (again);
  check_same_values (written, none, copied);
  same = read_raw (again);
  g_assert_cmpuint (same->len, ==, raw->len);
  for (guint i = 0; i < raw->len; i++)
    {
      const TareTensor *x = g_ptr_array_index (raw, i), *y = find_raw (same, x->name);

      g_assert_cmpmem (tare_file_get_data (x->file) + x->offset, x->bytes,
                       tare_file_get_data (y->file) + y->offset, y->bytes);
    }
}

/* One block of NVFP4 in two experts, with a scale of so many numbers, none for 0. */
static char *
write_blocks (gsize n_scales)
{
  const float scales[3] = { 2.0f, 0.5f, 0.25f };
  const guint64 shape[] = { 2, 1, 64 }, scale_shape[] = { n_scales };
  guint8 blocks[2][36] = { { 0x38, 0x40, 0x30, 0x7e }, { 0x38, 0x40, 0x30, 0x7e } };
  g_autofree char *name = g_strdup_printf ("blocks-%" G_GSIZE_FORMAT ".gguf", n_scales);
  char *path = tare_test_temporary (name);
  g_autoptr(TareMetadata) metadata = tare_metadata_new ();
  g_autoptr(TareGgufWriter) writer = NULL;
  g_autoptr(GError) error = NULL;

  for (gsize e = 0; e < 2; e++)
    for (gsize s = 0; s < 4; s++)
      blocks[e][4 + 8 * s] = 0x72;
  writer = tare_gguf_writer_new (path, metadata, &error);
  g_assert_no_error (error);
  g_assert_true (tare_gguf_writer_add (writer, "a.weight", 40, 3, shape, &error));
  if (n_scales > 0)
    g_assert_true (tare_gguf_writer_add (writer, "a.scale", 0, 1, scale_shape, &error));
  g_assert_true (tare_gguf_writer_write (writer, blocks[0], sizeof blocks, &error));
  if (n_scales > 0)
    g_assert_true (tare_gguf_writer_write (writer, (const guint8 *) scales,
                                           n_scales * sizeof (float), &error));
  g_assert_nonnull (tare_gguf_writer_finish (writer, &error));
  g_assert_true (tare_gguf_writer_commit (writer, &error));

  return path;
}

/* A scale for all experts, one for each, or none; any other number is refused. */
static void
test_read_scales (void)
{
  static const float wanted[][2] = { { 1.0f, 1.0f }, { 2.0f, 2.0f }, { 2.0f, 0.5f } };
  static const float units[4] = { 1.0f, 2.0f, 0.5f, 448.0f };
  g_autofree char *wrong = write_blocks (3);
  g_autoptr(GError) error = NULL;

  for (gsize n = 0; n < G_N_ELEMENTS (wanted); n++)
    {
      g_autofree char *path = write_blocks (n);
      g_autoptr(TareModel) model = tare_test_open_model (path);
      const TareTensor *tensor = tare_model_get_tensor (model, 0);
      float y[128];

      g_assert_cmpuint (tare_model_get_n_tensors (model), ==, 1);
      g_assert_true (tare_tensor_read (tensor, y, &error));
      for (gsize i = 0; i < 128; i++)
        g_assert_cmpfloat (y[i], ==, (i % 16 == 0 ? 1.0f : i % 16 == 8 ? 6.0f : 0.0f)
                                     * units[i % 64 / 16] * wanted[n][i / 64]);
    }

  g_assert_null (tare_model_open (wrong, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "a.scale"));
}

/* From the folder and from the GGUF of one model the same bytes come out. */
static void
test_either_source (void)
{
  g_autofree char *from_folder = tare_test_temporary ("folder.gguf");
  g_autofree char *from_gguf = tare_test_temporary ("gguf.gguf");
  g_autoptr(TareRecipe) recipe = make_recipe ("q4_k");
  g_autoptr(TareModel) folder = NULL;
  g_autoptr(TareModel) gguf = NULL;
  g_autoptr(TareModel) a = NULL;
  g_autoptr(TareModel) b = NULL;
  g_autoptr(GError) error = NULL;

  TARE_TEST_NEED_SHARED (folder_path, "models/stories260K");
  TARE_TEST_NEED_SHARED (gguf_path, "models/stories260K/stories260K-f32.gguf");

  folder = tare_test_open_model (folder_path);
  gguf = tare_test_open_model (gguf_path);
  write_gguf (folder, recipe, from_folder, NULL, NULL, &error);
  g_assert_no_error (error);
  write_gguf (gguf, recipe, from_gguf, NULL, NULL, &error);
  g_assert_no_error (error);

  a = tare_test_open_model (from_folder);
  b = tare_test_open_model (from_gguf);
  g_assert_cmpuint (tare_model_get_n_tensors (a), ==, tare_model_get_n_tensors (b));
  for (gsize i = 0; i < tare_model_get_n_tensors (a); i++)
    {
      const TareTensor *x = tare_model_get_tensor (a, i);
      const TareTensor *y = tare_model_lookup (b, x->canonical);

      g_assert_nonnull (y);
      g_assert_cmpmem (tare_file_get_data (x->file) + x->offset, x->bytes,
                       tare_file_get_data (y->file) + y->offset, y->bytes);
    }
}

static void
test_refuses_integers (void)
{
  g_autofree char *path = tare_test_temporary ("integers.gguf");
  g_autoptr(TareModel) model = tare_test_open_sample ();
  const TareTarget *target = tare_target_lookup ("gguf");
  guint n_refused = 0;

  for (gsize i = 0; i < tare_format_get_n_formats (); i++)
    {
      const TareFormat *format = tare_format_get (i);
      g_autoptr(TareRecipe) recipe = make_recipe (format->id);
      g_autoptr(GError) error = NULL;
      gboolean fine = tare_target_check (target, model, recipe, NULL, &error);

      g_assert_true (fine == ((format->containers & TARE_CONTAINER_GGUF) != 0));
      if (fine)
        continue;

      n_refused++;
      g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
      g_assert_nonnull (strstr (error->message, "token_embd.weight"));
      g_assert_nonnull (strstr (error->message, " and 41 more"));
      g_assert_nonnull (strstr (error->message, format->label));
      g_clear_error (&error);
      g_assert_false (write_gguf (model, recipe, path, NULL, NULL, &error));
      g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
    }
  g_assert_cmpuint (n_refused, >, 0);
}

/* A folder of an architecture that is in no table has no GGUF names; its GGUF is passed on. */
static void
test_unknown_architecture (void)
{
  g_autofree char *path = tare_test_temporary ("unknown.gguf");
  g_autofree char *folder_path = NULL, *gguf_path = NULL;
  g_autofree char *other_config = NULL, *other_weights = NULL;
  g_autoptr(TareRecipe) recipe = make_recipe ("q8_0");
  g_autoptr(TareModel) folder = NULL;
  g_autoptr(TareModel) gguf = NULL;
  g_autoptr(TareModel) written = NULL;
  g_autoptr(GError) error = NULL;

  TARE_TEST_NEED_SHARED (config, "models/gpt2-random/config.json");
  TARE_TEST_NEED_SHARED (weights, "models/gpt2-random/model.safetensors");
  TARE_TEST_NEED_SHARED (gguf_source, "models/gpt2-random/gpt2-f32.gguf");

  folder_path = tare_test_folder ("unknown");
  other_config = g_build_filename (folder_path, "config.json", NULL);
  other_weights = g_build_filename (folder_path, "model.safetensors", NULL);
  gguf_path = tare_test_temporary ("unknown-source.gguf");
  tare_test_copy_changed (config, other_config, "GPT2LMHeadModel", "GPTXLMHeadModel");
  tare_test_copy_changed (weights, other_weights, "{", "{");
  tare_test_copy_changed (gguf_source, gguf_path, "gpt2", "gptx");
  folder = tare_test_open_model (folder_path);
  gguf = tare_test_open_model (gguf_path);

  g_assert_false (write_gguf (folder, recipe, path, NULL, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "gpt2"));
  g_clear_error (&error);

  write_gguf (gguf, recipe, path, NULL, NULL, &error);
  g_assert_no_error (error);
  written = tare_test_open_model (path);
  check_same_values (gguf, recipe, written);
}

static void
test_refuses_folder (void)
{
  g_autofree char *folder = tare_test_folder ("taken");
  g_autofree char *missing = g_build_filename (folder, "missing", "model.gguf", NULL);
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe ("q8_0");
  g_autoptr(GError) error = NULL;

  g_assert_false (write_gguf (model, recipe, folder, NULL, NULL, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_false (write_gguf (model, recipe, missing, NULL, NULL, &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "missing"));
}

static void
cancel_at_half (double      fraction,
                const char *stage,
                gpointer    data)
{
  if (fraction > 0.5)
    g_cancellable_cancel (data);
}

static void
test_cancelled (void)
{
  g_autofree char *folder = tare_test_folder ("cancelled");
  g_autofree char *path = g_build_filename (folder, "model.gguf", NULL);
  g_autofree char *contents = NULL;
  g_autoptr(TareModel) model = tare_test_open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe ("q8_0");
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  TareProgress progress = TARE_PROGRESS_INIT (cancellable, cancel_at_half, cancellable);
  g_autoptr(GError) error = NULL;

  g_assert_true (g_file_set_contents (path, "old", -1, NULL));
  g_assert_false (write_gguf (model, recipe, path, NULL, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_true (g_file_get_contents (path, &contents, NULL, NULL));
  g_assert_cmpstr (contents, ==, "old");
  g_assert_cmpuint (count_files (folder), ==, 1);
}

/* The limit on the size of a file stands for a full disk. */
static void
test_full (void)
{
  g_autofree char *folder = NULL;
  g_autofree char *path = NULL;
  g_autofree char *contents = NULL;
  g_autoptr(TareModel) model = NULL;
  g_autoptr(TareRecipe) recipe = NULL;
  g_autoptr(GError) error = NULL;
  struct rlimit limit = { .rlim_cur = 1 << 20, .rlim_max = 1 << 20 };

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      return;
    }

  folder = tare_test_folder ("full");
  path = g_build_filename (folder, "model.gguf", NULL);
  model = tare_test_open_sample ();
  recipe = make_recipe ("q8_0");
  g_assert_true (g_file_set_contents (path, "old", -1, NULL));
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);

  g_assert_false (write_gguf (model, recipe, path, NULL, NULL, &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "model.gguf"));
  g_assert_true (g_file_get_contents (path, &contents, NULL, NULL));
  g_assert_cmpstr (contents, ==, "old");
  g_assert_cmpuint (count_files (folder), ==, 1);
}

/* The source stays readable while its own name is taken over. */
static void
test_over_itself (void)
{
  g_autofree char *path = tare_test_temporary ("itself.gguf");
  g_autoptr(TareModel) sample = tare_test_open_sample ();
  g_autoptr(TareRecipe) kept = make_recipe (NULL);
  g_autoptr(TareRecipe) recipe = make_recipe ("q5_0");
  g_autoptr(TareModel) source = NULL;
  g_autoptr(TareModel) written = NULL;
  g_autoptr(GError) error = NULL;

  write_gguf (sample, kept, path, NULL, NULL, &error);
  g_assert_no_error (error);
  source = tare_test_open_model (path);
  write_gguf (source, recipe, path, NULL, NULL, &error);
  g_assert_no_error (error);

  written = tare_test_open_model (path);
  check_same_values (sample, recipe, written);
  check_same_values (source, recipe, written);
}

static void
test_table (void)
{
  g_assert_cmpuint (tare_target_get_n_targets (), >, 0);
  for (gsize i = 0; i < tare_target_get_n_targets (); i++)
    {
      const TareTarget *target = tare_target_get (i);

      g_assert_true (tare_target_lookup (target->id) == target);
      g_assert_nonnull (target->plan);
      g_assert_nonnull (target->write);
    }
  g_assert_null (tare_target_lookup ("none"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/target/table", test_table);
  g_test_add_func ("/target/gguf/formats", test_formats);
  g_test_add_func ("/target/gguf/scales", test_scales);
  g_test_add_func ("/target/gguf/read-scales", test_read_scales);
  g_test_add_func ("/target/gguf/either-source", test_either_source);
  g_test_add_func ("/target/gguf/refuses-integers", test_refuses_integers);
  g_test_add_func ("/target/gguf/unknown-architecture", test_unknown_architecture);
  g_test_add_func ("/target/gguf/refuses-folder", test_refuses_folder);
  g_test_add_func ("/target/gguf/cancelled", test_cancelled);
  g_test_add_func ("/target/gguf/full", test_full);
  g_test_add_func ("/target/gguf/over-itself", test_over_itself);

  return g_test_run ();
}
