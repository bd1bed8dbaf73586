// Apache-2.0 BAD FILE
int x;
