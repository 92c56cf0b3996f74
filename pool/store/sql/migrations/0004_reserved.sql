SELECT 1; -- held for the branch `fair`: its 0004 takes this one's place
