"""What would be if: a policy on the stored past, two side by side, a candidate in the shadow of the live one."""
