/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/recipe/tare-target.h"

#include <glib/gstdio.h>
#include <string.h>

#include "quant/model/tare-json.h"
#include "quant/model/tare-safetensors.h"
#include "quant/tare-error.h"
#include "tests/tare-test.h"

static TareModel *
open_model (const char *path)
{
  g_autoptr(GError) error = NULL;
  TareModel *model = tare_model_open (path, &error);

  g_assert_no_error (error);

  return model;
}

static TareModel *
open_sample (void)
{
  g_autofree char *path = tare_test_source ("data/sample");

  return open_model (path);
}

/* Rules in pairs of a match and a format, ended by NULL; without the search for ranges. */
static TareRecipe *
make_recipe (const char *const *rules)
{
  TareRecipe *recipe = tare_recipe_new ();

  for (gsize i = 0; rules[i] != NULL; i += 2)
    {
      TareAssignment assignment = {
        .format = tare_format_lookup (rules[i + 1]),
        .method = tare_method_lookup ("rtn"),
        .range = TARE_RANGE_MINIMUM_MAXIMUM,
      };
      TareRecipe *next = tare_recipe_with_rule (recipe, rules[i], &assignment);

      g_assert_nonnull (assignment.format);
      tare_recipe_unref (recipe);
      recipe = next;
    }

  return recipe;
}

static TareModel *
export (const char  *target,
        TareModel   *model,
        TareRecipe  *recipe,
        const char  *path)
{
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(GError) error = NULL;

  tare_target_write (tare_target_lookup (target), engine, recipe, NULL, path, NULL, NULL, &error);
  g_assert_no_error (error);

  return open_model (path);
}

/* Without what is made when a folder is opened. */
static guint64
count_bytes (TareModel *model)
{
  guint64 bytes = 0;

  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      g_autoptr(TareTensor) file = tare_model_dup_folder_tensor (model, tensor);

      bytes += file != NULL ? tensor->bytes : 0;
    }

  return bytes;
}

/* Every tensor of the folder holds what the plan's recipe previews, to @tolerance of the largest
 * value. */
static void
check_same_values (const char *target,
                   TareModel  *model,
                   TareRecipe *recipe,
                   TareModel  *written,
                   double      tolerance)
{
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(GError) error = NULL;
  g_autoptr(TarePlan) plan = tare_target_plan (tare_target_lookup (target), model, recipe, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (tare_model_get_n_tensors (written), ==, tare_model_get_n_tensors (model));
  g_assert_cmpuint (count_bytes (written), ==, plan->bytes);
  for (gsize i = 0; i < tare_model_get_n_tensors (model); i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);
      const TareTensor *other = tare_model_lookup (written, tensor->canonical);
      gsize n = tare_tensor_get_n_weights (tensor);
      TareAssignment assignment = tare_recipe_resolve (plan->recipe, tensor);
      g_autofree float *x = g_new (float, n);
      g_autofree float *y = g_new (float, n);
      g_autoptr(TareQuantized) quantized = NULL;

      g_assert_nonnull (other);
      quantized = tare_engine_quantize (engine, tensor, &assignment, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (tare_quantized_decode (quantized, tensor, x, &error));
      g_assert_true (tare_tensor_read (other, y, &error));
      g_test_message ("%s", tensor->canonical);
      if (tolerance == 0.0)
        g_assert_cmpmem (x, n * sizeof *x, y, n * sizeof *y);
      else
        g_assert_cmpfloat (tare_test_difference (x, y, n), <, tolerance);
    }
}

static void
remove_folder (const char *path)
{
  g_autoptr(GDir) dir = g_dir_open (path, 0, NULL);
  const char *name = NULL;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, NULL);

      g_assert_cmpint (g_remove (file), ==, 0);
    }
  g_assert_cmpint (g_rmdir (path), ==, 0);
}

static void
check_file (const char *folder,
            const char *name,
            gboolean    there)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_assert_cmpint (g_file_test (path, G_FILE_TEST_IS_REGULAR), ==, there);
}

static void
check_export (const char        *target,
              const char        *source,
              const char *const *rules,
              double             tolerance)
{
  g_autofree char *path = tare_test_temporary ("folder");
  g_autoptr(TareModel) model = source != NULL ? open_model (source) : open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (rules);
  g_autoptr(TareModel) written = export (target, model, recipe, path);

  check_same_values (target, model, recipe, written, tolerance);
  check_file (path, "config.json", TRUE);
  check_file (path, "tokenizer.json", TRUE);
  check_file (path, "model.safetensors", TRUE);
  check_file (path, "model.safetensors.index.json", FALSE);
  remove_folder (path);
}

static const char *const mixed[] = {
  "*", "q8_0", "*.ffn_down.weight", "nf4", "*.attn_q.weight", "int4_g32", "output.weight", "f16",
  "*.attn_v.weight", "fp4_e2m1_g32", NULL,
};

/* Tare's layout holds any format, and in order whatever the folder's: rows of heads that are apart,
 * matrices on their side, norms that are off by one. */
static void
test_tare (void)
{
  check_export ("tare", NULL, mixed, 0.0);

  TARE_TEST_NEED_SHARED (gpt2, "models/gpt2-random");
  TARE_TEST_NEED_SHARED (gemma, "models/gemma2-random");
  TARE_TEST_NEED_SHARED (llama, "models/llama3-random");
  check_export ("tare", gpt2, mixed, 0.0);
  check_export ("tare", gemma, mixed, 0.0);
  check_export ("tare", llama, mixed, 0.0);
}

/* Every format of the table, on the matrices of one block. */
static void
test_tare_formats (void)
{
  for (gsize i = 0; i < tare_format_get_n_formats (); i += 3)
    {
      const char *const rules[] = { "blk.1.attn_k.weight", tare_format_get (i)->id, NULL };

      check_export ("tare", NULL, rules, 0.0);
    }
}

static void
test_values (void)
{
  check_export ("safetensors", NULL, mixed, 0.0);
  check_export ("safetensors-f16", NULL, mixed, 1e-3);
  check_export ("safetensors-bf16", NULL, mixed, 4e-3);

  TARE_TEST_NEED_SHARED (gpt2, "models/gpt2-random");
  TARE_TEST_NEED_SHARED (gemma, "models/gemma2-random");
  check_export ("safetensors", gpt2, mixed, 0.0);
  check_export ("safetensors", gemma, mixed, 1e-6);
}

/* What Tare wrote is a source like any other. */
static void
test_again (void)
{
  g_autofree char *first = tare_test_temporary ("first");
  g_autofree char *second = tare_test_temporary ("second");
  const char *const other[] = { "*.ffn_down.weight", "q4_0", NULL };
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (mixed);
  g_autoptr(TareRecipe) again = make_recipe (other);
  g_autoptr(TareModel) written = export ("tare", model, recipe, first);
  g_autoptr(TareModel) copied = export ("tare", written, again, second);

  check_same_values ("tare", written, again, copied, 0.0);
  remove_folder (first);
  remove_folder (second);
}

/* Nothing is left where something was wrong, and what is there stays. */
static void
test_refusals (void)
{
  g_autofree char *path = tare_test_temporary ("refused");
  g_autofree char *inside = g_build_filename (path, "kept", NULL);
  g_autoptr(TareModel) model = open_sample ();
  g_autoptr(TareRecipe) recipe = make_recipe (mixed);
  g_autoptr(TareEngine) engine = tare_engine_new (model);
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  const TareProgress progress = TARE_PROGRESS_INIT (cancellable, NULL, NULL);
  const TareTarget *target = tare_target_lookup ("tare");
  g_autoptr(GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_false (tare_target_write (target, engine, recipe, NULL, path, NULL, &progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_clear_error (&error);

  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  g_assert_true (g_file_set_contents (inside, "kept", -1, NULL));
  g_assert_false (tare_target_write (target, engine, recipe, NULL, path, NULL, NULL, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "is there already"));
  check_file (path, "kept", TRUE);
  remove_folder (path);
}

static void
write_all (TareSafetensorsWriter *writer,
           gsize                  index,
           guint8                 value,
           gsize                  n)
{
  g_autofree guint8 *bytes = g_malloc (n);
  g_autoptr(GError) error = NULL;

  memset (bytes, value, n);
  tare_safetensors_writer_write (writer, index, 0, bytes, n / 2, &error);
  g_assert_no_error (error);
  tare_safetensors_writer_write (writer, index, n / 2, bytes + n / 2, n - n / 2, &error);
  g_assert_no_error (error);
}

/* Files of at most 100 bytes of data, but for a tensor that is longer; written in any order. */
static void
test_shards (void)
{
  static const guint64 lengths[] = { 60, 30, 20, 300, 8 };
  g_autofree char *path = tare_test_temporary ("shards");
  g_autofree char *index_path = g_build_filename (path, "model.safetensors.index.json", NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(TareSafetensorsWriter) writer = tare_safetensors_writer_new (path, 100, &error);
  g_autoptr(TareModel) model = NULL;
  g_autoptr(JsonNode) node = NULL;
  JsonObject *map = NULL;
  gsize index[5];

  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *name = g_strdup_printf ("t%u", i);

      g_assert_true (tare_safetensors_writer_add (writer, name, i == 1 ? "I8" : "U8", 1,
                                                  &lengths[i], &index[i], &error));
    }
  g_assert_false (tare_safetensors_writer_add (writer, "t0", "U8", 1, lengths, index, &error));
  g_assert_error (error, TARE_ERROR, TARE_ERROR_INVALID);
  g_clear_error (&error);
  for (guint i = 5; i-- > 0;)
    write_all (writer, index[i], (guint8) (i + 1), (gsize) lengths[i]);
  g_assert_nonnull (tare_safetensors_writer_finish (writer, &error));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_true (tare_safetensors_writer_commit (writer, &error));

  node = tare_json_load (index_path, &error);
  g_assert_no_error (error);
  map = tare_json_get_object (json_node_get_object (node), "weight_map");
  g_assert_cmpstr (tare_json_get_string (map, "t1"), ==, "model-00001-of-00004.safetensors");
  g_assert_cmpstr (tare_json_get_string (map, "t2"), ==, "model-00002-of-00004.safetensors");
  g_assert_cmpstr (tare_json_get_string (map, "t3"), ==, "model-00003-of-00004.safetensors");
  g_assert_cmpstr (tare_json_get_string (map, "t4"), ==, "model-00004-of-00004.safetensors");
  model = open_model (path);
  g_assert_cmpuint (tare_model_get_n_tensors (model), ==, 5);
  for (guint i = 0; i < 5; i++)
    {
      const TareTensor *tensor = tare_model_get_tensor (model, i);

      g_assert_cmpuint (tensor->bytes, ==, lengths[i]);
      for (gsize j = 0; j < tensor->bytes; j++)
        g_assert_cmpuint (tare_file_get_data (tensor->file)[tensor->offset + j], ==, i + 1);
    }
  g_clear_pointer (&model, tare_model_unref);
  remove_folder (path);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/target/tare/mixed", test_tare);
  g_test_add_func ("/target/tare/formats", test_tare_formats);
  g_test_add_func ("/target/tare/again", test_again);
  g_test_add_func ("/target/safetensors/values", test_values);
  g_test_add_func ("/target/folder/refusals", test_refusals);
  g_test_add_func ("/target/folder/shards", test_shards);

  return g_test_run ();
}
