/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "quant/model/tare-role.h"

#include <string.h>

#include "tests/tare-test.h"

static void
test_table (void)
{
  g_assert_cmpuint (tare_role_get_n_roles (), ==, 30);

  for (gsize i = 0; i < tare_role_get_n_roles (); i++)
    {
      const TareRole *role = tare_role_get (i);

      g_assert_true (tare_role_lookup (role->id) == role);
      g_assert_cmpuint (strlen (role->short_label), <=, 3);
      g_assert_cmpuint (strlen (role->description), >, 10);
      /* What shares an input shares it with an earlier role that has it for its own. */
      if (role->input != NULL)
        {
          g_assert_true (tare_role_lookup (role->input) <= role);
          g_assert_cmpstr (tare_role_lookup (role->input)->input, ==, role->input);
        }
    }

  g_assert_cmpstr (tare_role_lookup ("attn_v")->input, ==, "attn_q");
  g_assert_cmpstr (tare_role_lookup ("ffn_up")->input, ==, "ffn_gate");
  g_assert_null (tare_role_lookup ("attn"));
}

/* The name of every role leads back to it. */
static void
test_names (void)
{
  for (gsize i = 0; i < tare_role_get_n_roles (); i++)
    for (int bias = 0; bias < 2; bias++)
      {
        const TareRole *role = tare_role_get (i);
        const char *suffix = bias ? "bias" : "weight";
        g_autofree char *name = role->in_block
                                ? g_strdup_printf ("blk.17.%s.%s", role->id, suffix)
                                : g_strdup_printf ("%s.%s", role->id, suffix);
        gboolean is_bias = !bias;
        int block = 0;

        g_assert_true (tare_role_from_canonical (name, &block, &is_bias) == role);
        g_assert_cmpint (block, ==, role->in_block ? 17 : -1);
        g_assert_cmpint (is_bias, ==, bias);
        g_assert_true (tare_role_from_canonical (name, NULL, NULL) == role);
      }
}

static void
test_no_names (void)
{
  static const char *const names[] = {
    "", ".weight", "blk.", "blk.0", "blk.0.", "blk.0.weight", "blk.0..weight", "attn_q.weight",
    "blk.attn_q.weight", "blk.-1.attn_q.weight", "blk.00.attn_q.weight", "blk.01.attn_q.weight",
    "blk.1000000.attn_q.weight", "blk.99999999999999999999.attn_q.weight", "blk.0.attn_q",
    "blk.0.attn_q.scale", "blk.0.token_embd.weight", "blk.0.attn_qkvx.weight", "output",
    "blk. 0.attn_q.weight", "blk.0.attn_q.weight.weight", "BLK.0.attn_q.weight",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      int block = -7;

      g_assert_null (tare_role_from_canonical (names[i], &block, NULL));
      g_assert_cmpint (block, ==, -7);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/role/table", test_table);
  g_test_add_func ("/role/names", test_names);
  g_test_add_func ("/role/no-names", test_no_names);

  return g_test_run ();
}
