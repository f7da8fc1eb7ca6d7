// Nothing of its own: what is wanted of this object is what zig adds to it, the
// functions that count with floating-point numbers where a processor cannot.
