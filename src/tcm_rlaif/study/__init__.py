"""What a study is: its parameters, its plan of runs, a stage as its notebook sees it, what runs cost."""
