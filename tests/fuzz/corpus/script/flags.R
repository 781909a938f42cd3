flags(flag_numeric('dropout', 0.4), flag_string(name = "opt"))
p.add_argument('-l', '--lr')
